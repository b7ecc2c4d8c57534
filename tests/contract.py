"""What every sequence model of the package must do, one property a function.

`check_...` takes a model (or a layer) and raises AssertionError if it does not hold. The tests in
`test_contract.py` call them on every model, and again on models with a known bug, on which they
must fail. A model is any that is called as `model(source, target, source_mask, target_mask)` and
has `start` and `step`; the sizes are different primes where they can be.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from references import redrawn
from support import plain_attention
from torch import Tensor, nn

from attncourse import (
    AttentionLayer,
    KeyValueCache,
    MultiHeadAttention,
    padding_mask,
    record_attention,
)
from attncourse.data.batches import Batch
from attncourse.decoding import select
from attncourse.language import CausalLanguageModel, LanguageModelConfig
from attncourse.positions import SinusoidalPositions
from attncourse.recurrent import AttentionDecoder, EncoderDecoder, GRUDecoder, GRUEncoder
from attncourse.runtime import device_of
from attncourse.training import batch_loss
from attncourse.transformer import Encoder, Residual, Transformer, TransformerConfig

SOURCE_VOCAB, TARGET_VOCAB = 31, 29
LENGTHS, TARGET_LENGTHS = (13, 3, 8, 1), (7, 2, 5, 3)
SOURCE, TARGET = 13, 7
EMBED, HEADS, FFN = 12, 3, 17  # a head is 4 wide: rotary positions want an even number
SIZES = {"embed_dim": EMBED, "num_heads": HEADS, "ffn_dim": FFN}

# How far two correct computations of a logit may lie apart.
CLOSE = {torch.float64: 1e-10, torch.float32: 1e-5}


class Writer(nn.Module):
    """A language model with a causal encoder as its body, which takes a source and ignores it."""

    def __init__(self, positions: nn.Module, **options):
        super().__init__()
        self.target_embedding = nn.Embedding(TARGET_VOCAB, EMBED)
        self.positions = positions
        self.body = Encoder(num_layers=2, **SIZES, **options)
        self.output = nn.Linear(EMBED, TARGET_VOCAB)

    def forward(self, source, target, source_mask=None, target_mask=None):
        if target_mask is not None:
            target = target.masked_fill(~target_mask, 0)
        return self.output(self.body(self.positions(self.target_embedding(target)), causal=True))

    def start(self, source, source_mask=None):
        return [KeyValueCache() for _ in self.body.layers]

    def step(self, tokens, state):
        caches = [cache.copy() for cache in state]
        embedded = self.target_embedding(tokens[:, None])
        if type(self.positions) is not nn.Identity:
            embedded = self.positions(embedded, len(caches[0]))
        return self.output(self.body(embedded, causal=True, caches=caches))[:, 0], caches


class LanguageModel(nn.Module):
    """The causal language model, given a source that it does not read."""

    def __init__(self, **options):
        super().__init__()
        sizes = SIZES | {"num_layers": 2, "dropout": 0.0, "max_len": 23}
        self.model = CausalLanguageModel(LanguageModelConfig(TARGET_VOCAB, **sizes, **options))

    @property
    def target_embedding(self) -> nn.Embedding:
        return self.model.reader.words

    def forward(self, source, target, source_mask=None, target_mask=None):
        return self.model(target, padding_mask=target_mask)

    def start(self, source, source_mask=None):
        return self.model.start()

    def step(self, tokens, state):
        return self.model.step(tokens, state)


# The models


def recurrent(decoder: type, layers: int, **options) -> EncoderDecoder:
    encoder = GRUEncoder(
        SOURCE_VOCAB, embed_dim=5, hidden_dim=7, num_layers=layers, bidirectional=True
    )
    sizes = {"embed_dim": 3, "hidden_dim": 11, "memory_dim": 14, "num_layers": layers}
    return EncoderDecoder(encoder, decoder(TARGET_VOCAB, **sizes, **options))


def transformer(**options) -> Transformer:
    more = {"num_layers": 2, "num_decoder_layers": 3, "dropout": 0.0, "max_len": 23}
    vocabularies = {"vocab_size": SOURCE_VOCAB, "target_vocab_size": TARGET_VOCAB}
    return Transformer(TransformerConfig(**vocabularies | SIZES | more | options))


TRANSLATORS = {
    "GRU": lambda: recurrent(GRUDecoder, 2),
    "GRU with attention": lambda: recurrent(AttentionDecoder, 2, attention_dim=5),
    "sinusoidal": transformer,
    "learned": lambda: transformer(positions="learned"),
    "rotary": lambda: transformer(positions="rotary"),
    "no positions": lambda: transformer(positions="none"),
    "norm first": lambda: transformer(norm_first=True),
    "norm first, learned": lambda: transformer(norm_first=True, positions="learned"),
    "norm first, rotary": lambda: transformer(norm_first=True, positions="rotary"),
    "one key head": lambda: transformer(num_kv_heads=1),
    "one key head, rotary": lambda: transformer(num_kv_heads=1, positions="rotary"),
    "gelu, no biases, not tied": lambda: transformer(
        activation="gelu", bias=False, tie_embeddings=False
    ),
}
WRITERS = {
    "causal encoder": lambda: Writer(SinusoidalPositions(EMBED)),
    "causal encoder, rotary": lambda: Writer(nn.Identity(), norm_first=True, rotary=True),
    "causal encoder, one key head": lambda: Writer(SinusoidalPositions(EMBED), num_kv_heads=1),
    "language model": lambda: LanguageModel(activation="gelu_tanh"),
    "language model, norm after": lambda: LanguageModel(norm_first=False, norm_embeddings=True),
    "language model, rotary": lambda: LanguageModel(positions="rotary", num_kv_heads=1),
}


def built(name: str) -> nn.Module:
    """Make a model by its name, its weights drawn anew, in float64."""
    return redrawn((TRANSLATORS | WRITERS)[name]())


# What they read


def dtype_of(module: nn.Module) -> torch.dtype:
    return next(module.parameters()).dtype


def sentences(model: nn.Module, lengths=LENGTHS) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw source ids and target ids, each followed by its mask."""
    generator = torch.Generator().manual_seed(2)
    drawn = []
    for vocabulary, lengths_ in ((SOURCE_VOCAB, lengths), (TARGET_VOCAB, TARGET_LENGTHS)):
        shape = len(lengths_), max(lengths_)
        mask = padding_mask(torch.tensor(lengths_), max(lengths_))
        ids = torch.randint(vocabulary, shape, generator=generator).masked_fill(~mask, 0)
        drawn += [ids.to(device_of(model)), mask.to(device_of(model))]
    return tuple(drawn)


def full_target(model: nn.Module) -> Tensor:
    """Draw target ids without padding."""
    generator = torch.Generator().manual_seed(3)
    drawn = torch.randint(TARGET_VOCAB, (len(LENGTHS), TARGET), generator=generator)
    return drawn.to(device_of(model))


def normal(*shape: int, like: nn.Module, seed: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(shape, generator=generator, dtype=torch.float64)
    return drawn.to(device_of(like), dtype_of(like))


def close(got: Tensor, wanted: Tensor, what: str, atol: float | None = None) -> None:
    atol = CLOSE[wanted.dtype] if atol is None else atol
    message = f"{what}\n{{}}".format
    torch.testing.assert_close(got, wanted, rtol=0, atol=atol, msg=message)


def finite(what: str, *tensors: Tensor) -> None:
    assert all(tensor.isfinite().all() for tensor in tensors), f"{what} are not finite"


# The future


def check_no_logit_knows_a_later_token(model: nn.Module) -> None:
    """In training and in evaluation, a token changes the logits at its place and behind only."""
    source, source_mask, *_ = sentences(model)
    target, atol = full_target(model), CLOSE[dtype_of(model)]
    for training in (True, False):
        model.train(training)
        before = model(source, target, source_mask)
        for position in range(TARGET):
            changed = target.clone()
            changed[:, position] = (changed[:, position] + 1) % TARGET_VOCAB
            moved = (model(source, changed, source_mask) - before).abs().amax(-1)
            where = f"token {position}, {'training' if training else 'evaluation'}"
            assert (moved[:, :position] <= atol).all(), f"{where}: earlier logits know of it"
            assert (moved[:, position] > 100 * atol).all(), f"{where}: its own logits do not"
    model.eval()


def check_no_gradient_reaches_a_later_token(model: nn.Module) -> None:
    """In training and in evaluation, what is asked early asks nothing of tokens that come later."""
    source, source_mask, *_ = sentences(model)
    target, seen = full_target(model), []
    owner = model if hasattr(model, "target_embedding") else model.decoder
    embedding = getattr(owner, "target_embedding", None) or owner.embedding
    handle = embedding.register_forward_hook(lambda module, inputs, output: seen.append(output))
    try:
        for training in (True, False):
            model.train(training)
            logits = model(source, target, source_mask)
            for position in range(TARGET):
                asked = logits[:, : position + 1].square().sum()
                (gradient,) = torch.autograd.grad(asked, seen[-1], retain_graph=True)
                assert gradient[:, position].any(-1).all(), "no gradient at the token itself"
                assert not gradient[:, position + 1 :].any(), f"from {position} to later tokens"
    finally:
        handle.remove()
        model.eval()


# Word by word


def check_step_by_step_is_the_parallel_pass(model: nn.Module) -> None:
    source, source_mask, *_ = sentences(model)
    target = full_target(model)
    logits = model(source, target, source_mask)
    state = model.start(source, source_mask)
    for position in range(TARGET):
        stepped, state = model.step(target[:, position], state)
        close(stepped, logits[:, position], f"step {position} and the parallel pass")


def check_selected_rows_go_on_as_if_alone(model: nn.Module) -> None:
    """A search keeps some sentences, in another order and some twice; each goes on as its own."""
    source, source_mask, *_ = sentences(model)
    target = full_target(model)
    rows = torch.tensor([2, 0, 2], device=target.device)
    logits = model(source[rows], target[rows], source_mask[rows])
    state = model.start(source, source_mask)
    for position in range(3):
        _, state = model.step(target[:, position], state)
    state = select(state, rows)
    for position in range(3, TARGET):
        stepped, state = model.step(target[rows, position], state)
        close(stepped, logits[:, position], f"step {position} of the rows {rows.tolist()}")


def check_a_state_stays_as_it_was(model: nn.Module) -> None:
    """Two continuations of one state do not meet."""
    source, source_mask, *_ = sentences(model)
    target = full_target(model)
    _, state = model.step(target[:, 0], model.start(source, source_mask))
    first, after = model.step(target[:, 1], state)
    model.step(target[:, 2], after)
    model.step(target[:, 3], state)
    again, _ = model.step(target[:, 1], state)
    assert torch.equal(first, again), "a step changed the state that it was given"


# Padding and company


def check_each_sentence_is_as_if_alone(model: nn.Module) -> None:
    """Neither padding nor the others in the batch change a logit or a gradient."""
    source, mask, target, target_mask = sentences(model)
    towards = normal(*target.shape, TARGET_VOCAB, like=model)

    def run(source, target, source_mask, target_mask, towards):
        model.zero_grad()
        logits = model(source, target, source_mask, target_mask)
        (logits * towards)[target_mask].sum().backward()
        return logits, {
            name: torch.zeros_like(weight) if weight.grad is None else weight.grad.clone()
            for name, weight in model.named_parameters()
        }

    together, gradients = run(source, target, mask, target_mask, towards)
    sums = {name: torch.zeros_like(gradient) for name, gradient in gradients.items()}
    for i, (length, target_length) in enumerate(zip(LENGTHS, TARGET_LENGTHS, strict=True)):
        one, until, asked = slice(i, i + 1), slice(length), slice(target_length)
        alone, parts = run(
            source[one, until],
            target[one, asked],
            mask[one, until],
            target_mask[one, asked],
            towards[one, asked],
        )
        close(together[i, asked], alone[0], f"sentence {i} in the batch and alone")
        sums = {name: total + parts[name] for name, total in sums.items()}
    for name, gradient in gradients.items():
        largest = max(1.0, gradient.abs().max().item())
        atol = largest * 10 * CLOSE[gradient.dtype]
        close(gradient, sums[name], f"gradient of {name}, batch and sum", atol)
    model.zero_grad()


def check_padding_may_hold_anything(model: nn.Module) -> None:
    """Other ids at padding, even impossible ones, and more of it."""
    source, mask, target, target_mask = sentences(model)
    before = model(source, target, mask, target_mask)
    wide = F.pad(source.masked_fill(~mask, 30), (0, 4), value=-100)
    long = F.pad(target.masked_fill(~target_mask, -100), (0, 2))
    wide_mask, long_mask = F.pad(mask, (0, 4)), F.pad(target_mask, (0, 2))
    after = model(wide, long, wide_mask, long_mask)[:, :TARGET]
    close(after[target_mask], before[target_mask], "with other padding")
    state = model.start(wide, wide_mask)
    stepped, _ = model.step(target[:, 0], state)
    close(stepped, before[:, 0], "the first step with other padding")


def check_a_sentence_without_words_is_harmless(model: nn.Module) -> None:
    """It gives finite logits and gradients, the same however much padding it has."""
    source, mask, target, _ = sentences(model, lengths=(13, 0, 8, 1))
    model.zero_grad()
    logits = model(source, target, mask)
    logits.square().sum().backward()
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    finite("logits and gradients of a batch with a sentence without words", logits, *gradients)
    model.zero_grad()
    for width in (1, 5):
        alone = model(source[1:2, :width], target[1:2], mask[1:2, :width])
        close(alone[0], logits[1], f"a sentence without words, {width} wide instead of {SOURCE}")


def check_the_loss_counts_real_tokens(model: nn.Module) -> None:
    """The mean of -log p over the tokens of the sentences: each wanted word and the end mark."""
    pairs = [([4, 5, 6, 7, 8], [9, 10]), ([11, 12], [4, 5, 6, 13, 7])]
    device, batch = device_of(model), Batch.of(pairs)
    total, count = 0.0, 0
    for source, target in pairs:  # alone, where nothing is padded: 1 is <bos>, 2 is <eos>
        read = torch.tensor([[1, *target]], device=device)
        asked = torch.tensor([*target, 2], device=device)
        logits = model(torch.tensor([source], device=device), read)[0]
        total -= logits.log_softmax(-1)[torch.arange(len(asked)), asked].sum().item()
        count += len(asked)
    loss = batch_loss(model, batch, device=device).item()
    atol = 10 * CLOSE[dtype_of(model)]
    assert abs(loss - total / count) < atol, f"loss {loss}, by hand {total / count}"


# The order of words


def check_order_of_the_source(model: nn.Module, matters: bool) -> None:
    """Without positions, a source is a set: its words in another order give the same logits."""
    source, target = sentences(model)[0], full_target(model)
    lengths = torch.tensor(LENGTHS, device=source.device)
    mask = padding_mask(lengths, SOURCE)
    turned = source.clone()
    for row, length in enumerate(LENGTHS):
        turned[row, :length] = source[row, :length].roll(1)
    before, after = model(source, target, mask), model(turned, target, mask)
    if matters:
        assert (before - after).abs().amax((1, 2))[[0, 1, 2]].min() > 1e-3, "order does not matter"
    else:
        close(after, before, "the source's words in another order")


def check_permuted_words_give_permuted_vectors(encoder: nn.Module) -> None:
    """An encoder without positions is equivariant, and not invariant."""
    x = normal(2, 7, EMBED, like=encoder)
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4], device=x.device)
    before = encoder(x)
    close(encoder(x[:, order]), before[:, order], "the encoder of permuted words")
    assert (encoder(x[:, order]) - before).abs().max() > 0.01, "the order does not show at all"


# Attention


def heads_one_by_one(
    layer: MultiHeadAttention,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    causal: bool = False,
) -> Tensor:
    """Multi-head attention as the formula has it: a loop over heads, in float64 on the CPU."""

    def part(projection: nn.Linear, head: int) -> tuple[Tensor, Tensor | None]:
        rows = slice(head * layer.head_dim, (head + 1) * layer.head_dim)
        bias = None if projection.bias is None else projection.bias[rows].double().cpu()
        return projection.weight[rows].double().cpu(), bias

    query, key, value = (tensor.double().cpu() for tensor in (query, key, value))
    heads = []
    for i in range(layer.num_heads):
        shared = i // (layer.num_heads // layer.num_kv_heads)
        q = F.linear(query, *part(layer.query_projection, i))
        k = F.linear(key, *part(layer.key_projection, shared))
        v = F.linear(value, *part(layer.value_projection, shared))
        allowed = mask
        if mask is not None and mask.dim() == 4:
            allowed = mask[:, i if mask.shape[1] > 1 else 0]
        if layer.rotary is not None:
            q, k = layer.rotary(q), layer.rotary(k)
        heads.append(plain_attention(q, k, v, allowed, causal))
    output = layer.output_projection
    bias = None if output.bias is None else output.bias.double().cpu()
    return F.linear(torch.cat(heads, -1), output.weight.double().cpu(), bias)


def check_heads_are_those_of_a_loop(layer: MultiHeadAttention) -> None:
    """With a mask that leaves one query nothing, as well as without and causally."""
    query, memory = normal(2, 5, EMBED, like=layer), normal(2, 7, EMBED, like=layer, seed=5)
    mask = (normal(2, 5, 7, like=layer, seed=6) < 0.2) & (normal(2, 5, 1, like=layer) < 9)
    mask[1, 3] = False
    for allowed, causal in ((None, False), (mask, False), (None, True), (mask, True)):
        output = layer(query, memory, mask=allowed, causal=causal)
        wanted = heads_one_by_one(layer, query, memory, memory, allowed, causal)
        close(output.double().cpu(), wanted, "the layer and a loop over heads", CLOSE[query.dtype])


def check_a_query_without_keys_gets_the_output_bias(layer: MultiHeadAttention) -> None:
    """Its average is zero, in every head, and all gradients are finite."""
    query = normal(2, 5, EMBED, like=layer).requires_grad_()
    mask = torch.ones(2, 5, 5, dtype=torch.bool, device=query.device)
    mask[0, 2] = mask[1] = False
    layer.zero_grad()
    output = layer(query, mask=mask)
    output.square().sum().backward()
    finite("outputs and gradients", output, query.grad, *(w.grad for w in layer.parameters()))
    layer.zero_grad()
    for row in (output[0, 2], *output[1]):
        close(row, layer.output_projection.bias, "the output of a query without keys", 0.0)


def check_a_masked_key_does_not_matter(module: nn.Module) -> None:
    """Whatever finite number it holds, it changes nothing and has no gradient."""
    mask = padding_mask(torch.tensor([7, 4]))[:, None].to(device_of(module))
    x = normal(2, 7, EMBED, like=module)
    huge = x.clone()
    huge[1, 4:] = 1e4
    before = module(x, mask=mask)
    huge.requires_grad_()
    after = module(huge, mask=mask)
    real = mask[:, 0]
    close(after[real], before[real], "outputs at real tokens, with huge numbers at padding")
    after[real].square().sum().backward()
    finite("gradients", huge.grad, *(weight.grad for weight in module.parameters()))
    assert not huge.grad[~real].any(), "padding has a gradient"
    assert huge.grad[real].any(-1).all(), "a real token has none"
    module.zero_grad()


def check_recorded_weights_are_those_used(layer: MultiHeadAttention) -> None:
    """The recorded weights and the values give the output, also with dropout."""
    x = normal(2, 7, EMBED, like=layer)
    mask = padding_mask(torch.tensor([7, 4]))[:, None].to(x.device)
    group = layer.num_heads // layer.num_kv_heads
    value = layer.value_projection(x).unflatten(-1, (layer.num_kv_heads, layer.head_dim))
    dropout = layer.dropout
    for share in (0.0, 0.4):
        layer.train(share > 0).dropout = share
        with record_attention(layer) as maps:
            output = layer(x, mask=mask, causal=True)
        weights = maps[""]
        heads = [
            weights[:, i] @ value[:, :, i // group] for i in range(layer.num_heads)
        ]  # each (batch, query, head_dim)
        by_hand = layer.output_projection(torch.cat(heads, -1))
        close(output, by_hand, f"the output and the recorded weights, dropout {share}")
        assert not weights.triu(1).any(), "a recorded weight lies in the future"
        assert not weights[1, :, :, 4:].any(), "a recorded weight lies on padding"
    layer.eval().dropout = dropout


def check_recording_shows_the_masks_and_changes_nothing(model: nn.Module) -> None:
    source, mask, *_ = sentences(model, lengths=(13, 0, 8, 1))
    target = full_target(model)
    before = model(source, target, mask)
    with record_attention(model) as maps:
        recorded = model(source, target, mask)
    close(recorded, before, "logits while recording and before")
    attending = {name for name, part in model.named_modules() if isinstance(part, AttentionLayer)}
    assert set(maps) == attending, f"recorded {set(maps)}, there are {attending}"
    for name, weights in maps.items():
        if weights.shape[-1] == SOURCE:
            hidden = weights.masked_select(~mask[:, None, None])
            assert not hidden.any(), f"{name} weighs padding"
            sums = mask.any(-1)[:, None, None].to(weights.dtype).expand(weights.shape[:-1])
        else:
            assert weights.shape[-2:] == (TARGET, TARGET)
            assert not weights.triu(1).any(), f"{name} weighs the future"
            sums = torch.ones_like(weights[..., 0])
        close(weights.sum(-1), sums, f"sums of {name}")


# Normalisation


def check_each_token_is_normalised_alone(add: Residual) -> None:
    """By its own mean and deviation over the features, then gain and bias."""
    x = normal(2, 7, EMBED, like=add)
    summed = x if add.norm_first else 3 * x
    mean = summed.mean(-1, keepdim=True)
    variance = (summed - mean).square().mean(-1, keepdim=True)
    by_hand = (summed - mean) / (variance + add.norm.eps).sqrt() * add.norm.weight + add.norm.bias
    by_hand = x + 2 * by_hand if add.norm_first else by_hand
    close(add(x, lambda x: 2 * x), by_hand, "a residual connection and its formula")
