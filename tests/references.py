"""Layers and models of other libraries, and ours with their weights, for `test_contract.py`.

A fresh model hides errors: with small weights, biases of zero and gains of one, whole terms can
be missing unseen. So the weights of a reference are drawn anew before ours copies them.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from attncourse import MultiHeadAttention, padding_mask
from attncourse.language import from_hugging_face
from attncourse.transformer import (
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
    FeedForward,
    Transformer,
    TransformerConfig,
)

HEADS, HEAD_DIM, FFN, VOCAB = 3, 4, 17, 31
EMBED = HEADS * HEAD_DIM
SIZES = {"embed_dim": EMBED, "num_heads": HEADS, "ffn_dim": FFN}
BATCH, SOURCE, TARGET, MAX_LEN = 2, 7, 5, 19
SOURCE_LENGTHS = torch.tensor([7, 4])


@dataclass
class Pair:
    """A reference and our own module with its weights, each asked by a call without arguments."""

    theirs: nn.Module
    ours: nn.Module
    ask_theirs: Callable[[], Tensor]
    ask_ours: Callable[[], Tensor]


# Weights


def norm_gains(module: nn.Module) -> set[int]:
    """Give the ids of the gains of layer normalisations: theirs is the default of one."""
    return {id(part.weight) for part in module.modules() if isinstance(part, nn.LayerNorm)}


def redrawn(module: nn.Module, seed: int = 5) -> nn.Module:
    """Draw every trainable weight from N(0, 0.3^2) around its default, in float64.

    The default of a gain is one, of anything else zero.
    """
    generator = torch.Generator().manual_seed(seed)
    module.double().eval()
    gains = norm_gains(module)
    with torch.no_grad():
        for weight in module.parameters():
            if weight.requires_grad:
                drawn = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
                weight.copy_(0.3 * drawn + (id(weight) in gains))
    return module


def numbers(*shape: int, dtype: torch.dtype, seed: int = 7) -> Tensor:
    """Draw numbers of order one."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def token_ids(length: int, seed: int = 7) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(VOCAB, (BATCH, length), generator=generator)


def copy(ours: nn.Module, theirs: nn.Module) -> None:
    """Copy a layer of the same kind: all of it, and no more."""
    ours.load_state_dict(theirs.state_dict())


def copy_multi_head(ours: MultiHeadAttention, theirs: nn.MultiheadAttention) -> None:
    """PyTorch holds the three projections as one, unless key or value have another width."""
    weights = theirs.q_proj_weight, theirs.k_proj_weight, theirs.v_proj_weight
    if theirs.in_proj_weight is not None:
        weights = theirs.in_proj_weight.chunk(3)
    biases = (None,) * 3 if theirs.in_proj_bias is None else theirs.in_proj_bias.chunk(3)
    projections = ours.query_projection, ours.key_projection, ours.value_projection
    for projection, weight, bias in zip(projections, weights, biases, strict=True):
        projection.load_state_dict({"weight": weight} | ({} if bias is None else {"bias": bias}))
    copy(ours.output_projection, theirs.out_proj)


def copy_encoder_layer(ours: EncoderLayer, theirs: nn.TransformerEncoderLayer) -> None:
    copy_multi_head(ours.attention, theirs.self_attn)
    copy(ours.attention_residual.norm, theirs.norm1)
    copy(ours.feed_forward.expand, theirs.linear1)
    copy(ours.feed_forward.contract, theirs.linear2)
    copy(ours.feed_forward_residual.norm, theirs.norm2)


def copy_decoder_layer(ours: DecoderLayer, theirs: nn.TransformerDecoderLayer) -> None:
    copy_multi_head(ours.self_attention, theirs.self_attn)
    copy(ours.self_attention_residual.norm, theirs.norm1)
    copy_multi_head(ours.cross_attention, theirs.multihead_attn)
    copy(ours.cross_attention_residual.norm, theirs.norm2)
    copy(ours.feed_forward.expand, theirs.linear1)
    copy(ours.feed_forward.contract, theirs.linear2)
    copy(ours.feed_forward_residual.norm, theirs.norm3)


def copy_d2l_heads(ours: MultiHeadAttention, theirs: nn.Module) -> None:
    copy(ours.query_projection, theirs.W_q)
    copy(ours.key_projection, theirs.W_k)
    copy(ours.value_projection, theirs.W_v)
    copy(ours.output_projection, theirs.W_o)


def copy_d2l_block(ours: EncoderLayer, theirs: nn.Module) -> None:
    copy_d2l_heads(ours.attention, theirs.attention)
    copy(ours.attention_residual.norm, theirs.addnorm1.ln)
    copy(ours.feed_forward.expand, theirs.ffn.dense1)
    copy(ours.feed_forward.contract, theirs.ffn.dense2)
    copy(ours.feed_forward_residual.norm, theirs.addnorm2.ln)


# Marian's positions are all sines, then all cosines; ours alternate. So the features of a token
# stand in another order throughout: ours i is Marian's MARIAN_ORDER[i].
MARIAN_ORDER = torch.arange(EMBED).view(2, EMBED // 2).T.flatten()


def copy_reading(ours: nn.Linear, theirs: nn.Linear) -> None:
    """Copy a layer that reads tokens."""
    weight = theirs.weight[:, MARIAN_ORDER]
    ours.load_state_dict({"weight": weight, "bias": theirs.bias})


def copy_writing(ours: nn.Module, theirs: nn.Module) -> None:
    """Copy a layer that writes tokens, or normalises them."""
    ours.load_state_dict({name: held[MARIAN_ORDER] for name, held in theirs.state_dict().items()})


def copy_marian_heads(ours: MultiHeadAttention, theirs: nn.Module) -> None:
    copy_reading(ours.query_projection, theirs.q_proj)
    copy_reading(ours.key_projection, theirs.k_proj)
    copy_reading(ours.value_projection, theirs.v_proj)
    copy_writing(ours.output_projection, theirs.out_proj)


def copy_marian(ours: Transformer, theirs: nn.Module) -> None:
    model = theirs.model
    ours.source_embedding.load_state_dict({"weight": model.shared.weight[:, MARIAN_ORDER]})
    for mine, layer in zip(ours.encoder.layers, model.encoder.layers, strict=True):
        copy_marian_heads(mine.attention, layer.self_attn)
        copy_writing(mine.attention_residual.norm, layer.self_attn_layer_norm)
    for mine, layer in zip(ours.decoder.layers, model.decoder.layers, strict=True):
        copy_marian_heads(mine.self_attention, layer.self_attn)
        copy_writing(mine.self_attention_residual.norm, layer.self_attn_layer_norm)
        copy_marian_heads(mine.cross_attention, layer.encoder_attn)
        copy_writing(mine.cross_attention_residual.norm, layer.encoder_attn_layer_norm)
    layers = [*model.encoder.layers, *model.decoder.layers]
    for mine, layer in zip((*ours.encoder.layers, *ours.decoder.layers), layers, strict=True):
        copy_reading(mine.feed_forward.expand, layer.fc1)
        copy_writing(mine.feed_forward.contract, layer.fc2)
        copy_writing(mine.feed_forward_residual.norm, layer.final_layer_norm)


# PyTorch's layers. Its masks are True at what is ignored.


def same_heads(
    embed_dim: int, num_heads: int, key_dim: int | None, value_dim: int | None, bias: bool
) -> tuple[MultiHeadAttention, nn.MultiheadAttention]:
    """Make our layer and PyTorch's with the same weights, in float64."""
    theirs = redrawn(
        nn.MultiheadAttention(
            embed_dim, num_heads, bias=bias, kdim=key_dim, vdim=value_dim, batch_first=True
        )
    )
    ours = MultiHeadAttention(
        embed_dim, num_heads=num_heads, bias=bias, key_dim=key_dim, value_dim=value_dim
    )
    copy_multi_head(ours.double(), theirs)
    return ours.eval(), theirs


def torch_heads(
    dtype: torch.dtype, key_dim: int | None = None, value_dim: int | None = None, bias: bool = True
) -> Pair:
    """`nn.MultiheadAttention`: on itself without widths, else on a memory of those widths."""
    ours, theirs = same_heads(EMBED, HEADS, key_dim, value_dim, bias)
    theirs, ours = theirs.to(dtype), ours.to(dtype)
    key = query = numbers(BATCH, SOURCE, EMBED, dtype=dtype)
    value = key
    if key_dim is not None:
        query = numbers(BATCH, TARGET, EMBED, dtype=dtype)
        key = numbers(BATCH, SOURCE, key_dim, dtype=dtype, seed=8)
        value = numbers(BATCH, SOURCE, value_dim, dtype=dtype, seed=9)
    mask = padding_mask(SOURCE_LENGTHS)
    return Pair(
        theirs,
        ours,
        lambda: theirs(query, key, value, key_padding_mask=~mask, need_weights=False)[0],
        lambda: ours(query, key, value, padding_mask=mask),
    )


def torch_encoder_layer(
    dtype: torch.dtype, norm_first: bool = False, activation: str = "relu", causal: bool = False
) -> Pair:
    theirs = redrawn(
        nn.TransformerEncoderLayer(
            EMBED, HEADS, FFN, 0.0, activation, batch_first=True, norm_first=norm_first
        )
    )
    ours = EncoderLayer(**SIZES, norm_first=norm_first, activation=activation)
    copy_encoder_layer(ours.double(), theirs)
    theirs, ours = theirs.to(dtype), ours.to(dtype).eval()
    x, mask = numbers(BATCH, SOURCE, EMBED, dtype=dtype), padding_mask(SOURCE_LENGTHS)
    future = torch.ones(SOURCE, SOURCE, dtype=torch.bool).triu(1) if causal else None
    return Pair(
        theirs,
        ours,
        lambda: theirs(x, src_mask=future, src_key_padding_mask=~mask),
        lambda: ours(x, padding_mask=mask, causal=causal),
    )


def torch_decoder_layer(
    dtype: torch.dtype, norm_first: bool = False, activation: str = "relu"
) -> Pair:
    theirs = redrawn(
        nn.TransformerDecoderLayer(
            EMBED, HEADS, FFN, 0.0, activation, batch_first=True, norm_first=norm_first
        )
    )
    ours = DecoderLayer(**SIZES, norm_first=norm_first, activation=activation)
    copy_decoder_layer(ours.double(), theirs)
    theirs, ours = theirs.to(dtype), ours.to(dtype).eval()
    x = numbers(BATCH, TARGET, EMBED, dtype=dtype)
    memory, mask = numbers(BATCH, SOURCE, EMBED, dtype=dtype, seed=8), padding_mask(SOURCE_LENGTHS)
    future = torch.ones(TARGET, TARGET, dtype=torch.bool).triu(1)
    return Pair(
        theirs,
        ours,
        lambda: theirs(x, memory, tgt_mask=future, memory_key_padding_mask=~mask),
        lambda: ours(x, memory, memory_padding_mask=mask),
    )


def torch_transformer(dtype: torch.dtype, norm_first: bool = False) -> Pair:
    """`nn.Transformer`: with the norm after it would add a last norm to each stack, the paper's
    and ours do not, so there it is given stacks without."""
    sizes = {"dim_feedforward": FFN, "dropout": 0.0, "batch_first": True}
    stacks = {}
    if not norm_first:
        encoder_layer = nn.TransformerEncoderLayer(EMBED, HEADS, **sizes)
        decoder_layer = nn.TransformerDecoderLayer(EMBED, HEADS, **sizes)
        stacks = {
            "custom_encoder": nn.TransformerEncoder(encoder_layer, 2, enable_nested_tensor=False),
            "custom_decoder": nn.TransformerDecoder(decoder_layer, 3),
        }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # norm first: it says which of its ways is not taken
        theirs = redrawn(
            nn.Transformer(EMBED, HEADS, 2, 3, norm_first=norm_first, **sizes, **stacks)
        )
    ours = nn.ModuleDict(
        {
            "encoder": Encoder(num_layers=2, **SIZES, norm_first=norm_first),
            "decoder": Decoder(num_layers=3, **SIZES, norm_first=norm_first),
        }
    ).double()
    for mine, layer in zip(ours["encoder"].layers, theirs.encoder.layers, strict=True):
        copy_encoder_layer(mine, layer)
    for mine, layer in zip(ours["decoder"].layers, theirs.decoder.layers, strict=True):
        copy_decoder_layer(mine, layer)
    if norm_first:
        copy(ours["encoder"].norm, theirs.encoder.norm)
        copy(ours["decoder"].norm, theirs.decoder.norm)
    theirs, ours = theirs.to(dtype), ours.to(dtype).eval()
    x = numbers(BATCH, SOURCE, EMBED, dtype=dtype)
    y = numbers(BATCH, TARGET, EMBED, dtype=dtype, seed=8)
    mask = padding_mask(SOURCE_LENGTHS)
    future = torch.ones(TARGET, TARGET, dtype=torch.bool).triu(1)

    def ask_theirs() -> Tensor:
        # with the mask of the future as truth values, as the padding's is
        return theirs(
            x,
            y,
            tgt_mask=future,
            src_key_padding_mask=~mask,
            memory_key_padding_mask=~mask,
        )

    def ask_ours() -> Tensor:
        memory = ours["encoder"](x, padding_mask=mask)
        return ours["decoder"](y, memory, memory_padding_mask=mask)

    return Pair(theirs, ours, ask_theirs, ask_ours)


# Dive into Deep Learning's layers. They tell padding by the number of real keys.


def d2l_heads(d2l, dtype: torch.dtype, bias: bool = False) -> Pair:
    theirs = d2l.MultiHeadAttention(EMBED, HEADS, 0.0, bias=bias)
    blank = torch.zeros(1, 1, EMBED)
    theirs(blank, blank, blank, None)  # sets the widths of its lazy layers
    redrawn(theirs)
    ours = MultiHeadAttention(EMBED, num_heads=HEADS, bias=bias)
    copy_d2l_heads(ours.double(), theirs)
    theirs, ours = theirs.to(dtype), ours.to(dtype).eval()
    query = numbers(BATCH, TARGET, EMBED, dtype=dtype)
    memory, mask = numbers(BATCH, SOURCE, EMBED, dtype=dtype, seed=8), padding_mask(SOURCE_LENGTHS)
    return Pair(
        theirs,
        ours,
        lambda: theirs(query, memory, memory, SOURCE_LENGTHS),
        lambda: ours(query, memory, padding_mask=mask),
    )


def d2l_ffn(d2l, dtype: torch.dtype) -> Pair:
    theirs = d2l.PositionWiseFFN(FFN, EMBED)
    theirs(torch.zeros(1, 1, EMBED))
    redrawn(theirs)
    ours = FeedForward(EMBED, ffn_dim=FFN).double()
    copy(ours.expand, theirs.dense1)
    copy(ours.contract, theirs.dense2)
    theirs, ours = theirs.to(dtype), ours.to(dtype)
    x = numbers(BATCH, SOURCE, EMBED, dtype=dtype)
    return Pair(theirs, ours, lambda: theirs(x), lambda: ours(x))


def d2l_block(d2l, dtype: torch.dtype, bias: bool = False) -> Pair:
    """Its `use_bias` is for the attention; the network has biases always."""
    theirs = d2l.TransformerEncoderBlock(EMBED, FFN, HEADS, 0.0, use_bias=bias)
    theirs(torch.zeros(1, 1, EMBED), None)
    redrawn(theirs)
    ours = EncoderLayer(**SIZES)
    ours.attention = MultiHeadAttention(EMBED, num_heads=HEADS, bias=bias)
    copy_d2l_block(ours.double(), theirs)
    theirs, ours = theirs.to(dtype), ours.to(dtype).eval()
    x, mask = numbers(BATCH, SOURCE, EMBED, dtype=dtype), padding_mask(SOURCE_LENGTHS)
    return Pair(theirs, ours, lambda: theirs(x, SOURCE_LENGTHS), lambda: ours(x, padding_mask=mask))


# x-transformers' attention, whose projections have no bias


def x_heads(dtype: torch.dtype) -> Pair:
    """Cross-attention: its own answers at padded queries are zeros, which is another rule."""
    pytest.importorskip("x_transformers", reason="what we compare with is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its imports warn; that is not ours to mend
        from x_transformers.x_transformers import Attention

    theirs = redrawn(Attention(EMBED, heads=HEADS, dim_head=HEAD_DIM))
    # its own softmax goes by float32 in every dtype
    theirs.attend.attn_fn = functools.partial(torch.softmax, dim=-1)
    ours = MultiHeadAttention(EMBED, num_heads=HEADS, bias=False).double()
    copy(ours.query_projection, theirs.to_q)
    copy(ours.key_projection, theirs.to_k)
    copy(ours.value_projection, theirs.to_v)
    copy(ours.output_projection, theirs.to_out)
    theirs, ours = theirs.to(dtype), ours.to(dtype).eval()
    query = numbers(BATCH, TARGET, EMBED, dtype=dtype)
    memory, mask = numbers(BATCH, SOURCE, EMBED, dtype=dtype, seed=8), padding_mask(SOURCE_LENGTHS)
    return Pair(
        theirs,
        ours,
        lambda: theirs(query, memory, context_mask=mask),
        lambda: ours(query, memory, padding_mask=mask),
    )


# Hugging Face's models, of small size and without their trained weights


BERT_SIZES = {
    "vocab_size": VOCAB,
    "hidden_size": EMBED,
    "num_hidden_layers": 2,
    "num_attention_heads": HEADS,
    "intermediate_size": FFN,
    "max_position_embeddings": MAX_LEN,
    "type_vocab_size": 2,
}
GPT2_SIZES = {
    "vocab_size": VOCAB,
    "n_embd": EMBED,
    "n_layer": 2,
    "n_head": HEADS,
    "n_inner": FFN,
    "n_positions": MAX_LEN,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SEGMENTS = torch.tensor([[0, 0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 0, 0, 0]])


def same_language_model(theirs: nn.Module, dtype: torch.dtype) -> tuple[nn.Module, nn.Module]:
    """Draw the weights of a model of theirs anew; give it, and ours with the same weights."""
    theirs = redrawn(theirs).to(dtype)
    return theirs, from_hugging_face(theirs.config.to_dict(), theirs.state_dict())


def bert(hugging_face, dtype: torch.dtype, pooler: bool = False) -> Pair:
    """`BertModel`: all vectors, and with a pooler those of the texts behind them."""
    config = hugging_face.BertConfig(**BERT_SIZES)
    theirs = hugging_face.BertModel(config, add_pooling_layer=pooler)
    theirs, ours = same_language_model(theirs, dtype)
    tokens, mask = token_ids(SOURCE), padding_mask(SOURCE_LENGTHS)

    def ask_theirs() -> Tensor:
        given = theirs(tokens, token_type_ids=SEGMENTS, attention_mask=mask.long())
        hidden = given.last_hidden_state[mask]
        return torch.cat([hidden, given.pooler_output]) if pooler else hidden

    def ask_ours() -> Tensor:
        hidden = ours(tokens, segments=SEGMENTS, padding_mask=mask)
        return torch.cat([hidden[mask], ours.pool(hidden)]) if pooler else hidden[mask]

    return Pair(theirs, ours, ask_theirs, ask_ours)


def bert_masked(hugging_face, dtype: torch.dtype, activation: str = "gelu") -> Pair:
    config = hugging_face.BertConfig(**BERT_SIZES, hidden_act=activation)
    theirs, ours = same_language_model(hugging_face.BertForMaskedLM(config), dtype)
    tokens, mask = token_ids(SOURCE), padding_mask(SOURCE_LENGTHS)
    inputs = {"token_type_ids": SEGMENTS, "attention_mask": mask.long()}
    return Pair(
        theirs,
        ours,
        lambda: theirs(tokens, **inputs).logits[mask],
        lambda: ours(tokens, segments=SEGMENTS, padding_mask=mask)[mask],
    )


def gpt2(hugging_face, dtype: torch.dtype) -> Pair:
    config = hugging_face.GPT2Config(**GPT2_SIZES)
    theirs, ours = same_language_model(hugging_face.GPT2LMHeadModel(config), dtype)
    tokens, mask = token_ids(SOURCE), padding_mask(SOURCE_LENGTHS)
    return Pair(
        theirs,
        ours,
        lambda: theirs(tokens, attention_mask=mask.long()).logits[mask],
        lambda: ours(tokens, padding_mask=mask)[mask],
    )


class Marian(nn.Module):
    """Our Transformer with the bias of the logits that Marian has and the paper has not."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.transformer = Transformer(config)
        self.bias = nn.Parameter(torch.zeros(VOCAB))

    def forward(self, source: Tensor, target: Tensor, source_mask: Tensor) -> Tensor:
        return self.transformer(source, target, source_mask) + self.bias


def marian(hugging_face, dtype: torch.dtype, activation: str = "silu") -> Pair:
    config = hugging_face.MarianConfig(
        vocab_size=VOCAB,
        d_model=EMBED,
        encoder_layers=2,
        decoder_layers=3,
        encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS,
        encoder_ffn_dim=FFN,
        decoder_ffn_dim=FFN,
        max_position_embeddings=MAX_LEN,
        activation_function={"silu": "swish"}.get(activation, activation),
        scale_embedding=True,
        dropout=0.0,
        pad_token_id=VOCAB - 1,
        eos_token_id=0,
        decoder_start_token_id=VOCAB - 1,
    )
    theirs = redrawn(hugging_face.MarianMTModel(config))
    drawn = numbers(1, VOCAB, dtype=torch.float64, seed=11)
    theirs.final_logits_bias.copy_(0.3 * drawn)
    if dtype == torch.float64:  # its table of positions is rounded to float32
        for stack in (theirs.model.encoder, theirs.model.decoder):
            with torch.no_grad():
                stack.embed_positions.weight.copy_(sines_then_cosines(MAX_LEN, EMBED))
    sizes = {"embed_dim": EMBED, "num_heads": HEADS, "ffn_dim": FFN}
    ours = Marian(
        TransformerConfig(
            VOCAB, **sizes, num_layers=2, num_decoder_layers=3, dropout=0.0, activation=activation
        )
    ).double()
    copy_marian(ours.transformer, theirs)
    with torch.no_grad():
        ours.bias.copy_(theirs.final_logits_bias[0])
    theirs, ours = theirs.to(dtype), ours.to(dtype).eval()
    source, target, mask = token_ids(SOURCE), token_ids(TARGET, 8), padding_mask(SOURCE_LENGTHS)

    def ask_theirs() -> Tensor:
        return theirs(
            source, attention_mask=mask.long(), decoder_input_ids=target, use_cache=False
        ).logits

    return Pair(theirs, ours, ask_theirs, lambda: ours(source, target, mask))


def sines_then_cosines(length: int, width: int) -> Tensor:
    """Marian's table of positions, without its rounding."""
    waves = np.arange(length)[:, None] / 10_000 ** (np.arange(0, width, 2) / width)
    return torch.from_numpy(np.concatenate([np.sin(waves), np.cos(waves)], 1))
