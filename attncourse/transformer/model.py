"""The Transformer (chapter 10): embeddings, encoder, decoder, and back to words.

memory = encoder(embed(source))
logits = output(decoder(embed(target), memory))
"""

from __future__ import annotations

import math
from typing import NamedTuple

from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from attncourse.checks import (
    as_column,
    require_bool,
    require_dropout,
    require_integer,
    require_known,
    require_no_hole,
    require_padding_mask,
    require_target,
    require_tokens,
)
from attncourse.positions import LearnedPositions, SinusoidalPositions
from attncourse.transformer.config import TransformerConfig
from attncourse.transformer.layers import DecoderCache
from attncourse.transformer.stacks import Decoder, Encoder

POSITIONS = ("sinusoidal", "learned", "rotary", "none")


class TransformerState(NamedTuple):
    """Where a `Transformer` stands while it writes (chapter 10).

    Attributes:
        source_mask: (batch, source), True at real tokens of the source, or None.
        caches: each decoder layer's.
    """

    source_mask: Bool[Tensor, "batch source"] | None
    caches: list[DecoderCache]


class Transformer(nn.Module):
    r"""Read a sentence, write another (chapter 10).

    Token ids go in and logits come out, as with every translator of the course. The caller shifts
    the target: at each place the model reads the tokens up to there and is asked for the next.
    Future tokens are always hidden, in training and in evaluation.

    Args:
        config: its sizes.

    Raises:
        TypeError: if a size is not an integer; on a call, if tokens or masks have another dtype.
        ValueError: if the sizes do not fit; on a call, if shapes disagree, an id is unknown, a
            sentence has more than `config.max_len` tokens, the target none, or padding stands
            before a real token.

    Source: Vaswani et al. 2017, section 3. The paper's embeddings are one matrix with the output's,
    as with `tie_embeddings`, and are multiplied by the root of d_model, as here always. Dropout
    stands where section 5.4 has it. The paper gives no initialisation; here the linear layers are
    Glorot's, and embeddings have the deviation d_model^-0.5, so that after the factor they are of
    the size of the positions.

    Example:
        >>> import torch
        >>> model = Transformer(TransformerConfig.preset("tiny", vocab_size=97))
        >>> source, target = torch.tensor([[4, 5, 6]]), torch.tensor([[1, 8]])
        >>> model(source, target).shape
        torch.Size([1, 2, 97])
        >>> logits, state = model.step(target[:, 0], model.start(source))
        >>> logits.shape
        torch.Size([1, 97])
    """

    def __init__(self, config: TransformerConfig):
        super().__init__()
        _require_config(config)
        one_vocabulary = config.target_vocab_size is None
        target_size = config.vocab_size if one_vocabulary else config.target_vocab_size
        num_decoder_layers = config.num_decoder_layers
        if num_decoder_layers is None:
            num_decoder_layers = config.num_layers
        options = {
            "embed_dim": config.embed_dim,
            "num_heads": config.num_heads,
            "ffn_dim": config.ffn_dim,
            "dropout": config.dropout,
            "norm_first": config.norm_first,
            "norm_eps": config.norm_eps,
            "activation": config.activation,
            "bias": config.bias,
            "num_kv_heads": config.num_kv_heads,
            "rotary": config.positions == "rotary",
            "checkpointing": config.checkpointing,
        }
        self.config = config
        self.source_embedding = _embedding(config.vocab_size, config.embed_dim)
        if config.tie_embeddings and one_vocabulary:
            self.target_embedding = _with_same_weight(self.source_embedding)
        else:
            self.target_embedding = _embedding(target_size, config.embed_dim)
        self.positions = _added_positions(config)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = Encoder(num_layers=config.num_layers, **options)
        self.decoder = Decoder(num_layers=num_decoder_layers, **options)
        self.output = nn.Linear(config.embed_dim, target_size, bias=False)
        if config.tie_embeddings:
            self.output.weight = self.target_embedding.weight
        else:
            nn.init.normal_(self.output.weight, std=config.embed_dim**-0.5)

    def forward(
        self,
        source: Int64[Tensor, "batch source"],
        target: Int64[Tensor, "batch target"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
        target_mask: Bool[Tensor, "batch target"] | None = None,
    ) -> Float[Tensor, "batch target vocabulary"]:
        """Predict, at each token of the target, the next one.

        Args:
            source: (batch, source), token ids.
            target: (batch, target), token ids that the decoder reads: the begin mark first.
            source_mask, target_mask: True at real tokens, which stand first in each row; by default
                all are real. What stands at padding never matters to a real token.

        Returns:
            (batch, target, vocabulary), logits. Those at padding mean nothing.
        """
        return self.output(self.hidden(source, target, source_mask, target_mask))

    def hidden(
        self,
        source: Int64[Tensor, "batch source"],
        target: Int64[Tensor, "batch target"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
        target_mask: Bool[Tensor, "batch target"] | None = None,
    ) -> Float[Tensor, "batch target embed_dim"]:
        """Give the vectors of which `output` makes logits; the arguments are those of `forward`."""
        self._require_sentences(source, source_mask, target, target_mask)
        x = self._embed(self.source_embedding, source, source_mask)  # (batch, source, embed_dim)
        memory = self.encoder(x, padding_mask=source_mask)  # (batch, source, embed_dim)
        y = self._embed(self.target_embedding, target, target_mask)  # (batch, target, embed_dim)
        # The target's own padding stands behind its real tokens: it is in their future, which is
        # hidden anyway. So no mask is needed, and the kernel for causal attention can run.
        return self.decoder(y, memory, memory_padding_mask=source_mask)

    def start(
        self,
        source: Int64[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
    ) -> TransformerState:
        """Read the source; give the state before the first token."""
        self._require_source(source, source_mask)
        require_no_hole(source_mask=source_mask)
        x = self._embed(self.source_embedding, source, source_mask)  # (batch, source, embed_dim)
        memory = self.encoder(x, padding_mask=source_mask)  # (batch, source, embed_dim)
        return TransformerState(source_mask, self.decoder.start(memory))

    def step(
        self, tokens: Int64[Tensor, "batch"], state: TransformerState
    ) -> tuple[Float[Tensor, "batch vocabulary"], TransformerState]:
        """Read one token a sentence; give the logits of the next, and the state after it.

        The state that was given stays as it was, so that one can go on from it in several ways.
        """
        tokens = as_column(tokens)  # (batch, 1)
        position = self._require_next(tokens, state)
        caches = [DecoderCache(cache.written.copy(), cache.memory) for cache in state.caches]
        y = self._embed(self.target_embedding, tokens, offset=position)  # (batch, 1, embed_dim)
        y = self.decoder(y, memory_padding_mask=state.source_mask, caches=caches)
        return self.output(y)[:, 0], TransformerState(state.source_mask, caches)

    def _embed(
        self, embedding: nn.Embedding, tokens: Tensor, mask: Tensor | None = None, offset: int = 0
    ) -> Tensor:
        """Give words of the size of their positions, and both added, (batch, length, embed_dim)."""
        if mask is not None:
            tokens = tokens.masked_fill(~mask, 0)  # whatever stands at padding, a known token
        x = embedding(tokens) * math.sqrt(self.config.embed_dim)
        if self.positions is not None:
            x = self.positions(x, offset)
        return self.dropout(x)

    def _require_sentences(
        self,
        source: Tensor,
        source_mask: Tensor | None,
        target: Tensor,
        target_mask: Tensor | None,
    ) -> None:
        self._require_source(source, source_mask)
        self._require_tokens("target", target, target_mask, self.target_embedding)
        require_target(target, source)
        require_no_hole(source_mask=source_mask, target_mask=target_mask)

    def _require_source(self, source: Tensor, source_mask: Tensor | None) -> None:
        self._require_tokens("source", source, source_mask, self.source_embedding)

    def _require_tokens(
        self, name: str, tokens: Tensor, mask: Tensor | None, embedding: nn.Embedding
    ) -> None:
        require_tokens(name, tokens, f"(batch, {name})")
        self._require_room(name, tokens.shape[1])
        if mask is not None:
            require_padding_mask(f"{name}_mask", mask, tokens)
        require_known(name, tokens, embedding, mask)

    def _require_next(self, tokens: Tensor, state: TransformerState) -> int:
        """Refuse tokens that cannot come next; give their position."""
        require_known("tokens", tokens, self.target_embedding)
        cache = state.caches[0]
        if len(tokens) != len(cache.memory.key):
            raise ValueError(
                f"tokens and state disagree in batch: {len(tokens)} and {len(cache.memory.key)}"
            )
        position = len(cache.written)
        self._require_room("target", position + 1)
        return position

    def _require_room(self, name: str, length: int) -> None:
        if length > self.config.max_len:
            raise ValueError(
                f"{name} has {length} tokens, but max_len of the config is {self.config.max_len}"
            )


def _require_config(config: TransformerConfig) -> None:
    """Refuse what the parts, which refuse their own sizes, are not asked."""
    if not isinstance(config, TransformerConfig):
        raise TypeError(f"config must be a TransformerConfig, got {type(config).__name__}")
    for name in ("vocab_size", "embed_dim", "max_len"):
        require_integer(name, getattr(config, name), least=1)
    for name in ("target_vocab_size", "num_decoder_layers"):
        if getattr(config, name) is not None:
            require_integer(name, getattr(config, name), least=1)
    for name in ("tie_embeddings", "checkpointing"):
        require_bool(name, getattr(config, name))
    require_dropout(config.dropout)
    if config.positions not in POSITIONS:
        raise ValueError(
            f"positions must be one of {', '.join(POSITIONS)}, got {config.positions!r}"
        )


def _embedding(vocab_size: int, embed_dim: int) -> nn.Embedding:
    embedding = nn.Embedding(vocab_size, embed_dim)
    nn.init.normal_(embedding.weight, std=embed_dim**-0.5)
    return embedding


def _with_same_weight(embedding: nn.Embedding) -> nn.Embedding:
    """Make a second module with the first one's weight, and draw nothing.

    The first under a second name would not do: `torch.func.functional_call` breaks such a model.
    """
    second = nn.Embedding.from_pretrained(embedding.weight)
    second.weight = embedding.weight
    return second


def _added_positions(config: TransformerConfig) -> nn.Module | None:
    """What is added to the embeddings; rotary positions sit in the layers."""
    if config.positions == "sinusoidal":
        return SinusoidalPositions(config.embed_dim)
    if config.positions == "learned":
        return LearnedPositions(max_len=config.max_len, embed_dim=config.embed_dim)
    return None
