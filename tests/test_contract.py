"""The contract: what every sequence model of the package keeps, against whom it was checked, and
that the checks would notice.

1. Each property of `contract.py`, on every model.
2. Other libraries' layers and models (`references.py`), weights copied.
3. Known bugs, most from popular courses, planted in our layers: the checks must fail on them.
"""

from __future__ import annotations

import functools
import itertools
import math
from contextlib import contextmanager

import contract
import pytest
import references
import torch
from contract import CLOSE, EMBED, HEADS, SIZES, TRANSLATORS, WRITERS, built
from references import redrawn
from support import DTYPES
from torch import nn

from attncourse import (
    AttentionLayer,
    MultiHeadAttention,
    attention_weights,
    masked_softmax,
    record_attention,
)
from attncourse.attention import recording
from attncourse.positions import LearnedPositions, RotaryPositions, SinusoidalPositions
from attncourse.recurrent import Encoded, GRUEncoder
from attncourse.training import loss as training_loss
from attncourse.transformer import Encoder, Residual, Transformer

EVERY_TRANSLATOR = pytest.mark.parametrize("name", TRANSLATORS)
EVERY_MODEL = pytest.mark.parametrize("name", [*TRANSLATORS, *WRITERS])
EVERY_TRANSFORMER = pytest.mark.parametrize(
    "name", [name for name in TRANSLATORS if not name.startswith("GRU")]
)
EXACT = pytest.mark.parametrize("dtype", CLOSE, ids=lambda dtype: str(dtype).split(".")[1])

# Layers of attention, by what is unusual about them
LAYERS = {
    "heads": {},
    "no bias": {"bias": False},
    "one key head": {"num_kv_heads": 1},
    "as many heads as features": {"num_heads": EMBED},
    "one head": {"num_heads": 1},
}


def layer_of(name: str) -> MultiHeadAttention:
    return redrawn(MultiHeadAttention(**{"embed_dim": EMBED, "num_heads": HEADS} | LAYERS[name]))


# 1. Every property on every model


@EVERY_MODEL
@pytest.mark.parametrize(
    "what",
    [
        "no_logit_knows_a_later_token",
        "no_gradient_reaches_a_later_token",
        "selected_rows_go_on_as_if_alone",
        "a_state_stays_as_it_was",
        "padding_may_hold_anything",
        "the_loss_counts_real_tokens",
    ],
)
def test_every_model_keeps(what, name, device):
    getattr(contract, f"check_{what}")(built(name).to(device))


@EXACT
@EVERY_MODEL
@pytest.mark.parametrize(
    "what", ["step_by_step_is_the_parallel_pass", "each_sentence_is_as_if_alone"]
)
def test_every_model_keeps_in_every_precision(what, name, dtype, device):
    getattr(contract, f"check_{what}")(built(name).to(device, dtype))


@EVERY_TRANSLATOR
def test_a_sentence_without_words_is_harmless(name, device):
    contract.check_a_sentence_without_words_is_harmless(built(name).to(device))


@EVERY_TRANSLATOR
def test_the_order_of_the_source_matters_unless_there_are_no_positions(name, device):
    contract.check_order_of_the_source(built(name).to(device), matters=name != "no positions")


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("kv_heads", [None, 1])
def test_an_encoder_without_positions_is_equivariant(norm_first, kv_heads, device):
    encoder = Encoder(num_layers=2, **SIZES, norm_first=norm_first, num_kv_heads=kv_heads)
    contract.check_permuted_words_give_permuted_vectors(redrawn(encoder).to(device))


def test_an_encoder_with_rotary_positions_is_not_equivariant():
    encoder = redrawn(Encoder(num_layers=2, **SIZES, rotary=True))
    with pytest.raises(AssertionError, match="permuted words"):
        contract.check_permuted_words_give_permuted_vectors(encoder)


@EVERY_TRANSLATOR
def test_recording_shows_the_masks_and_changes_nothing(name, device):
    model = built(name).to(device)
    if name == "GRU":
        assert not any(isinstance(part, AttentionLayer) for part in model.modules())
        return
    contract.check_recording_shows_the_masks_and_changes_nothing(model)


@EXACT
@pytest.mark.parametrize("name", LAYERS)
def test_heads_are_those_of_a_loop(name, dtype, device):
    contract.check_heads_are_those_of_a_loop(layer_of(name).to(device, dtype))


@DTYPES
@pytest.mark.parametrize("name", [name for name in LAYERS if name != "no bias"])
def test_a_query_without_keys_gets_the_output_bias(name, dtype, device):
    layer = layer_of(name).to(device, dtype)
    contract.check_a_query_without_keys_gets_the_output_bias(layer)


@pytest.mark.parametrize("name", LAYERS)
def test_a_masked_key_does_not_matter_to_a_layer(name, device):
    contract.check_a_masked_key_does_not_matter(layer_of(name).to(device))


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("rotary", [False, True])
def test_a_masked_key_does_not_matter_to_an_encoder(norm_first, rotary, device):
    encoder = Encoder(num_layers=2, **SIZES, norm_first=norm_first, rotary=rotary)
    contract.check_a_masked_key_does_not_matter(redrawn(encoder).to(device))


@pytest.mark.parametrize("name", LAYERS)
def test_recorded_weights_are_those_used(name, device):
    contract.check_recorded_weights_are_those_used(layer_of(name).to(device))


@pytest.mark.parametrize("norm_first", [False, True])
def test_each_token_is_normalised_alone(norm_first, device):
    add = redrawn(Residual(EMBED, norm_first=norm_first)).to(device)
    contract.check_each_token_is_normalised_alone(add)


@EVERY_MODEL
@pytest.mark.parametrize(
    ("dtype", "atol"),
    [
        (torch.float32, 1e-5),
        (torch.bfloat16, 0.3),
        (torch.float16, 0.05),
    ],
    ids=lambda value: str(value).split(".")[1] if isinstance(value, torch.dtype) else "",
)
def test_logits_in_every_dtype_are_those_of_float64(name, dtype, atol, device):
    model = built(name)
    source, mask, target, _ = contract.sentences(model, lengths=(13, 0, 8, 1))
    exact = model(source, target, mask)
    model = model.to(device, dtype)
    logits = model(source.to(device), target.to(device), mask.to(device))
    assert logits.dtype == dtype
    assert logits.device.type == device.type
    # logits of order 1 to 5
    torch.testing.assert_close(logits.double().cpu(), exact, rtol=0, atol=atol)
    logits.sum().backward()
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


# 2. Other libraries, weights copied

REFERENCES = {
    "nn.MultiheadAttention": (None, references.torch_heads),
    "nn.MultiheadAttention without bias": (
        None,
        functools.partial(references.torch_heads, bias=False),
    ),
    "nn.MultiheadAttention of two widths": (
        None,
        functools.partial(references.torch_heads, key_dim=5, value_dim=7),
    ),
    "nn.TransformerEncoderLayer": (None, references.torch_encoder_layer),
    "nn.TransformerEncoderLayer norm first": (
        None,
        functools.partial(references.torch_encoder_layer, norm_first=True),
    ),
    "nn.TransformerEncoderLayer causal, gelu": (
        None,
        functools.partial(references.torch_encoder_layer, causal=True, activation="gelu"),
    ),
    "nn.TransformerDecoderLayer": (None, references.torch_decoder_layer),
    "nn.TransformerDecoderLayer norm first, gelu": (
        None,
        functools.partial(references.torch_decoder_layer, norm_first=True, activation="gelu"),
    ),
    "nn.Transformer": (None, references.torch_transformer),
    "nn.Transformer norm first": (
        None,
        functools.partial(references.torch_transformer, norm_first=True),
    ),
    "d2l.MultiHeadAttention": ("d2l", references.d2l_heads),
    "d2l.MultiHeadAttention with bias": (
        "d2l",
        functools.partial(references.d2l_heads, bias=True),
    ),
    "d2l.PositionWiseFFN": ("d2l", references.d2l_ffn),
    "d2l.TransformerEncoderBlock": ("d2l", references.d2l_block),
    "d2l.TransformerEncoderBlock with bias": (
        "d2l",
        functools.partial(references.d2l_block, bias=True),
    ),
    "x-transformers' Attention": (None, references.x_heads),
    "BertModel": ("hugging_face", references.bert),
    "BertModel with pooler": ("hugging_face", functools.partial(references.bert, pooler=True)),
    "BertForMaskedLM": ("hugging_face", references.bert_masked),
    "BertForMaskedLM gelu by tanh": (
        "hugging_face",
        functools.partial(references.bert_masked, activation="gelu_new"),
    ),
    "GPT2LMHeadModel": ("hugging_face", references.gpt2),
    "MarianMTModel": ("hugging_face", references.marian),
    "MarianMTModel relu": (
        "hugging_face",
        functools.partial(references.marian, activation="relu"),
    ),
}
# What is compared with what, by the beginning of those names
COMPARED = {
    "nn.MultiheadAttention": ("MultiHeadAttention", "torch.nn.MultiheadAttention"),
    "nn.TransformerEncoderLayer": (
        "transformer.EncoderLayer",
        "torch.nn.TransformerEncoderLayer",
    ),
    "nn.TransformerDecoderLayer": (
        "transformer.DecoderLayer",
        "torch.nn.TransformerDecoderLayer",
    ),
    "nn.Transformer": ("transformer.Encoder, transformer.Decoder", "torch.nn.Transformer"),
    "d2l.MultiHeadAttention": ("MultiHeadAttention", "d2l.torch.MultiHeadAttention"),
    "d2l.PositionWiseFFN": ("transformer.FeedForward", "d2l.torch.PositionWiseFFN"),
    "d2l.TransformerEncoderBlock": (
        "transformer.EncoderLayer",
        "d2l.torch.TransformerEncoderBlock",
    ),
    "x-transformers' Attention": (
        "MultiHeadAttention",
        "x_transformers.x_transformers.Attention",
    ),
    "BertModel": ("language.TextReader", "transformers.BertModel"),
    "BertForMaskedLM": ("language.MaskedLanguageModel", "transformers.BertForMaskedLM"),
    "GPT2LMHeadModel": ("language.CausalLanguageModel", "transformers.GPT2LMHeadModel"),
    "MarianMTModel": ("Transformer", "transformers.MarianMTModel"),
}


def equals(name: str) -> pytest.MarkDecorator:
    """Say what is compared, for the page on how the course was checked."""
    library = max((start for start in COMPARED if name.startswith(start)), key=len)
    return pytest.mark.equals(*COMPARED[library], within=CLOSE)


EVERY_REFERENCE = pytest.mark.parametrize("name", REFERENCES)
FAR = 1e-2  # the least that a mistake must change, against 1e-10 and 1e-5 between equals


@pytest.fixture
def pair(name, request):
    """Give a function that makes the pair of a name in a dtype."""
    library, make = REFERENCES[name]
    needed = [] if library is None else [request.getfixturevalue(library)]
    return lambda dtype=torch.float64: make(*needed, dtype=dtype)


def distance(pair: references.Pair) -> float:
    theirs, ours = pair.ask_theirs(), pair.ask_ours()
    assert theirs.shape == ours.shape
    assert theirs.dtype == ours.dtype
    return (theirs - ours).abs().max().item()


@pytest.mark.parametrize("name", [pytest.param(name, marks=equals(name)) for name in REFERENCES])
@EXACT
def test_the_reference_gives_the_same(name, pair, dtype, same):
    made = pair(dtype)
    same(made.ask_ours(), made.ask_theirs())
    assert made.ask_theirs().abs().max() > 0.1


@EVERY_REFERENCE
def test_no_weight_of_the_reference_is_left_out(name, pair):
    made = pair()
    theirs = sum(weight.numel() for weight in made.theirs.parameters() if weight.requires_grad)
    if name.startswith("MarianMTModel"):
        theirs += made.theirs.final_logits_bias.numel()  # which is a buffer there
    assert sum(weight.numel() for weight in made.ours.parameters()) == theirs


@EVERY_REFERENCE
def test_dropping_any_weight_would_be_seen(name, pair):
    made = pair()
    gains = references.norm_gains(made.ours)
    theirs = made.ask_theirs()
    for parameter_name, weight in made.ours.named_parameters():
        kept = weight.detach().clone()
        with torch.no_grad():
            weight.fill_(1.0 if id(weight) in gains else 0.0)
            moved = (made.ask_ours() - theirs).abs().max().item()
            weight.copy_(kept)
        if parameter_name.endswith("key_projection.bias"):
            # It adds the same to all scores of a query, which no softmax sees.
            assert moved < 1e-10, parameter_name
        else:
            assert moved > FAR, f"{parameter_name} could be missing: {moved}"
    assert distance(made) < 1e-10


@EVERY_REFERENCE
def test_another_root_would_be_seen(name, pair):
    if "FFN" in name:
        pytest.skip("a feed-forward network has no root")
    made = pair()
    for fault in (no_root, root_of_all_features):
        with fault():
            assert distance(made) > FAR


@EVERY_REFERENCE
def test_the_other_half_of_the_mask_would_be_seen(name, pair):
    if "FFN" in name or name.startswith("GPT2"):
        pytest.skip("a feed-forward network has no mask, GPT-2 the causal one alone")
    made = pair()
    with inverted_mask():
        assert distance(made) > FAR


@pytest.mark.parametrize("name", ["nn.TransformerEncoderLayer", "nn.TransformerDecoderLayer"])
@pytest.mark.parametrize("ours_first", [False, True])
def test_the_norm_in_the_wrong_place_would_be_seen(name, pair, ours_first):
    made = pair() if not ours_first else REFERENCES[name][1](torch.float64, norm_first=True)
    for part in made.ours.modules():
        if isinstance(part, Residual):
            part.norm_first = not ours_first
    assert distance(made) > FAR


@pytest.mark.parametrize("name", ["nn.MultiheadAttention", "nn.MultiheadAttention of two widths"])
def test_recorded_weights_are_those_of_nn_multi_head_attention(name, pair):
    made = pair()
    seen = []
    handle = made.theirs.register_forward_pre_hook(lambda module, inputs: seen.extend(inputs))
    made.ask_theirs()
    handle.remove()
    mask = references.padding_mask(references.SOURCE_LENGTHS)
    _, weights = made.theirs(*seen, key_padding_mask=~mask, average_attn_weights=False)
    with record_attention(made.ours) as maps:
        made.ask_ours()
    torch.testing.assert_close(maps[""], weights, rtol=0, atol=1e-12)


def test_where_nn_multi_head_attention_is_nan_ours_is_the_output_bias():
    made = references.torch_heads(torch.float64)
    x = references.numbers(2, 7, references.EMBED, dtype=torch.float64)
    none = torch.zeros(2, 7, dtype=torch.bool)
    assert made.theirs(x, x, x, key_padding_mask=~none)[0].isnan().all()
    wanted = made.theirs.out_proj.bias.expand(2, 7, -1)
    assert torch.equal(made.ours(x, mask=none[:, None]), wanted)


def test_marians_own_table_is_ours_up_to_the_order_of_columns(hugging_face):
    # in float32, as it is stored there; the table in float64 is what the equality above used
    made = references.marian(hugging_face, torch.float32)
    table = made.theirs.model.encoder.embed_positions.weight
    code = SinusoidalPositions(references.EMBED).code(references.MAX_LEN)
    torch.testing.assert_close(code, table[:, references.MARIAN_ORDER], rtol=0, atol=1e-6)


# 3. Known bugs, planted


@contextmanager
def replaced(owner: object, name: str, new: object):
    """Put something else under a name, and the old back."""
    old = owner.__dict__[name] if isinstance(owner, type) else getattr(owner, name)
    setattr(owner, name, new)
    try:
        yield
    finally:
        setattr(owner, name, old)


@contextmanager
def attention(function):
    """Let all layers attend by `function(layer, query, key, value, mask, **options)`."""
    with replaced(AttentionLayer, "attend", function):
        yield


def by_weights(change):
    """Attend with weights that `change(scores, allowed)` gives: softmax, but with a mistake."""

    def attend(layer, query, key, value, mask=None, *, causal=False, **options):
        score = options.get("score")
        scores = query @ key.mT / math.sqrt(query.shape[-1]) if score is None else score(query, key)
        allowed = torch.ones_like(scores, dtype=torch.bool)
        if mask is not None:
            allowed = allowed & mask
        if causal:
            allowed = allowed.tril(key.shape[-2] - query.shape[-2])
        weights = change(scores, allowed)
        for calls in layer._recordings:
            calls.append(weights.detach())
        return weights @ value

    return attention(attend)


def with_options(change):
    """Attend as always, with arguments that `change(layer, query, key, mask, options)` gives."""
    right = AttentionLayer.attend

    def attend(layer, query, key, value, mask=None, **options):
        query, key, mask, options = change(layer, query, key, mask, options)
        return right(layer, query, key, value, mask, **options)

    return attention(attend)


def causal_in_training_only():
    def change(layer, query, key, mask, options):
        causal = options.get("causal", False) and layer.training
        return query, key, mask, options | {"causal": causal}

    return with_options(change)


def causal_from_the_start():
    """The future is hidden as if the first query stood at the first key, also behind a cache."""

    def change(layer, query, key, mask, options):
        if options.pop("causal", False):
            seen = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
            mask = seen.to(query.device) if mask is None else mask & seen.to(query.device)
        return query, key, mask, options

    return with_options(change)


def causal_off_by_one():
    def change(layer, query, key, mask, options):
        if options.pop("causal", False):
            past = key.shape[-2] - query.shape[-2]
            seen = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril(past + 1)
            mask = seen.to(query.device) if mask is None else mask & seen.to(query.device)
        return query, key, mask, options

    return with_options(change)


def inverted_mask():
    def change(layer, query, key, mask, options):
        return query, key, None if mask is None else ~mask, options

    return with_options(change)


def no_mask():
    return with_options(lambda layer, query, key, mask, options: (query, key, None, options))


def scaled_by(factor):
    return with_options(
        lambda layer, query, key, mask, options: (query * factor(layer, query), key, mask, options)
    )


def no_root():
    return scaled_by(lambda layer, query: math.sqrt(query.shape[-1]))


def root_of_all_features():
    """Divided by the root of embed_dim, not of a head's width."""
    return scaled_by(lambda layer, query: math.sqrt(query.shape[-1] / layer.embed_dim))


def large_negative_scores():
    """-1e9 at masked scores: a row of them has uniform weights."""
    return by_weights(lambda scores, allowed: scores.masked_fill(~allowed, -1e9).softmax(-1))


def minus_infinity():
    """Minus infinity at masked scores: a row of them is 0/0."""
    return by_weights(lambda scores, allowed: scores.masked_fill(~allowed, -math.inf).softmax(-1))


def masked_after_the_softmax():
    return by_weights(lambda scores, allowed: scores.softmax(-1) * allowed)


def softmax_over_the_queries():
    return by_weights(lambda scores, allowed: scores.masked_fill(~allowed, -1e9).softmax(-2))


def softmax_over_the_batch():
    """As in one of the course's sources, where one sentence reads another."""
    return by_weights(lambda scores, allowed: scores.masked_fill(~allowed, -1e9).softmax(0))


def maps_without_the_mask():
    """The output is right, and what is shown was computed again without the mask."""
    right = recording.attend

    def attend(layer, query, key, value, mask=None, **options):
        for calls in layer._recordings:
            score = {"score": options["score"]} if "score" in options else {}
            calls.append(attention_weights(query, key, **score).detach())
        return right(query, key, value, mask, **options)

    return attention(attend)


def heads_by_view():
    """Heads cut from the rows: (batch, length, features) seen as (batch, heads, length, width)."""

    def heads(layer, projected):
        batch, length, features = projected.shape
        return projected.reshape(batch, features // layer.head_dim, length, layer.head_dim)

    return replaced(MultiHeadAttention, "_split_heads", heads)


@contextmanager
def every_step_at_position_zero():
    with (
        replaced(SinusoidalPositions, "forward", at_zero(SinusoidalPositions.forward)),
        replaced(LearnedPositions, "forward", at_zero(LearnedPositions.forward)),
        replaced(RotaryPositions, "forward", at_zero(RotaryPositions.forward)),
    ):
        yield


def at_zero(forward):
    return lambda positions, features, offset=0: forward(positions, features)


def norm_over_the_tokens():
    """Each feature over all tokens of a sentence, padding and future included."""

    def forward(norm, x):
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).square().mean(1, keepdim=True)
        return (x - mean) / (variance + norm.eps).sqrt() * norm.weight + norm.bias

    return replaced(nn.LayerNorm, "forward", forward)


def unbiased_norm():
    """As in the Annotated Transformer: another deviation, and eps outside the root."""

    def forward(norm, x):
        deviation = x.std(-1, keepdim=True)
        return (x - x.mean(-1, keepdim=True)) / (deviation + norm.eps) * norm.weight + norm.bias

    return replaced(nn.LayerNorm, "forward", forward)


def encoder_that_reads_padding():
    right = GRUEncoder.forward

    def forward(encoder, source, source_mask=None):
        memory, _, state = right(encoder, source.clamp(0, 30))
        return Encoded(memory, source_mask, state)

    return replaced(GRUEncoder, "forward", forward)


def loss_that_counts_padding():
    right, sides = training_loss.padding_mask, itertools.cycle(["source", "target"])

    def mask(lengths, length):
        found = right(lengths, length)
        return found if next(sides) == "source" else torch.ones_like(found)

    return replaced(training_loss, "padding_mask", mask)


def steps_that_write_into_the_state():
    """The caches of the state that was given are filled on."""
    right = Transformer.step

    def step(model, tokens, state):
        with replaced(type(state.caches[0].written), "copy", lambda cache: cache):
            return right(model, tokens, state)

    return replaced(Transformer, "step", step)


# Each bug: where it is planted, and the properties that must fail there.
KNOWN_BUGS = {
    causal_in_training_only: {
        "sinusoidal": ["no_logit_knows_a_later_token", "no_gradient_reaches_a_later_token"],
        "causal encoder": ["no_logit_knows_a_later_token", "step_by_step_is_the_parallel_pass"],
    },
    causal_off_by_one: {
        "norm first, rotary": ["no_logit_knows_a_later_token", "no_gradient_reaches_a_later_token"],
        "causal encoder": ["no_logit_knows_a_later_token", "no_gradient_reaches_a_later_token"],
        "attention": ["heads_are_those_of_a_loop", "recorded_weights_are_those_used"],
    },
    causal_from_the_start: {
        "sinusoidal": ["step_by_step_is_the_parallel_pass"],
        "causal encoder, rotary": ["step_by_step_is_the_parallel_pass"],
    },
    every_step_at_position_zero: {
        "sinusoidal": ["step_by_step_is_the_parallel_pass", "selected_rows_go_on_as_if_alone"],
        "learned": ["step_by_step_is_the_parallel_pass"],
        "rotary": ["step_by_step_is_the_parallel_pass"],
        "causal encoder": ["step_by_step_is_the_parallel_pass"],
    },
    inverted_mask: {
        "sinusoidal": ["each_sentence_is_as_if_alone", "padding_may_hold_anything"],
        # Its memory is zero at padding, so the average of that is the same in all company.
        "GRU with attention": ["recording_shows_the_masks_and_changes_nothing"],
        "attention": ["heads_are_those_of_a_loop", "a_masked_key_does_not_matter"],
    },
    no_mask: {
        "norm first": ["each_sentence_is_as_if_alone"],
        "GRU with attention": ["recording_shows_the_masks_and_changes_nothing"],
        "attention": ["heads_are_those_of_a_loop", "a_masked_key_does_not_matter"],
    },
    large_negative_scores: {
        "sinusoidal": [
            "a_sentence_without_words_is_harmless",
            "recording_shows_the_masks_and_changes_nothing",
        ],
        "GRU with attention": ["recording_shows_the_masks_and_changes_nothing"],
        "attention": ["a_query_without_keys_gets_the_output_bias", "heads_are_those_of_a_loop"],
    },
    minus_infinity: {
        "sinusoidal": ["a_sentence_without_words_is_harmless"],
        "GRU with attention": ["a_sentence_without_words_is_harmless"],
        "attention": ["a_query_without_keys_gets_the_output_bias", "heads_are_those_of_a_loop"],
    },
    masked_after_the_softmax: {
        "sinusoidal": ["no_logit_knows_a_later_token", "each_sentence_is_as_if_alone"],
        "GRU with attention": ["each_sentence_is_as_if_alone"],
        "attention": ["heads_are_those_of_a_loop", "a_masked_key_does_not_matter"],
    },
    softmax_over_the_queries: {
        "sinusoidal": ["no_logit_knows_a_later_token", "step_by_step_is_the_parallel_pass"],
        "attention": ["heads_are_those_of_a_loop"],
    },
    softmax_over_the_batch: {
        "sinusoidal": ["each_sentence_is_as_if_alone"],
        "causal encoder": ["each_sentence_is_as_if_alone"],
    },
    maps_without_the_mask: {
        "sinusoidal": ["recording_shows_the_masks_and_changes_nothing"],
        "GRU with attention": ["recording_shows_the_masks_and_changes_nothing"],
        "attention": ["recorded_weights_are_those_used"],
    },
    no_root: {"attention": ["heads_are_those_of_a_loop"]},
    root_of_all_features: {"attention": ["heads_are_those_of_a_loop"]},
    heads_by_view: {
        "attention": ["heads_are_those_of_a_loop", "a_masked_key_does_not_matter"],
        "sinusoidal": ["no_logit_knows_a_later_token", "each_sentence_is_as_if_alone"],
        "encoder": ["permuted_words_give_permuted_vectors"],
    },
    norm_over_the_tokens: {
        "residual": ["each_token_is_normalised_alone"],
        "sinusoidal": ["no_logit_knows_a_later_token", "each_sentence_is_as_if_alone"],
        "norm first": ["step_by_step_is_the_parallel_pass"],
    },
    unbiased_norm: {"residual": ["each_token_is_normalised_alone"]},
    encoder_that_reads_padding: {
        "GRU": ["each_sentence_is_as_if_alone", "padding_may_hold_anything"],
        "GRU with attention": ["each_sentence_is_as_if_alone"],
    },
    loss_that_counts_padding: {
        "GRU": ["the_loss_counts_real_tokens"],
        "sinusoidal": ["the_loss_counts_real_tokens"],
    },
    steps_that_write_into_the_state: {"sinusoidal": ["a_state_stays_as_it_was"]},
}


def subject(name: str) -> nn.Module:
    """Give what a bug is planted in: a model by its name, or a part."""
    if name == "attention":
        return layer_of("heads")
    if name == "encoder":
        return redrawn(Encoder(num_layers=2, **SIZES))
    if name == "residual":
        return redrawn(Residual(EMBED))
    return built(name)


@pytest.mark.parametrize(
    ("bug", "where", "what"),
    [
        pytest.param(bug, where, what, id=f"{bug.__name__}-{where}-{what}")
        for bug, places in KNOWN_BUGS.items()
        for where, properties in places.items()
        for what in properties
    ],
)
def test_a_known_bug_is_caught(bug, where, what):
    with bug(), pytest.raises(AssertionError):
        getattr(contract, f"check_{what}")(subject(where))


@pytest.mark.parametrize("plant", ["weights", "options"])
@pytest.mark.parametrize("where", ["sinusoidal", "GRU with attention", "attention"])
def test_what_plants_the_bugs_breaks_nothing(plant, where):
    right = {
        "weights": by_weights(lambda scores, allowed: masked_softmax(scores, allowed)),
        "options": with_options(
            lambda layer, query, key, mask, options: (query, key, mask, options)
        ),
    }
    properties = {what for places in KNOWN_BUGS.values() for what in places.get(where, [])}
    if plant == "weights":
        properties.discard("recorded_weights_are_those_used")  # it knows no dropout
    assert properties
    with right[plant]:
        for what in properties:
            getattr(contract, f"check_{what}")(subject(where))


def test_a_large_negative_score_does_not_even_fit_float16():
    layer = layer_of("heads").half()
    contract.check_a_query_without_keys_gets_the_output_bias(layer)
    with large_negative_scores(), pytest.raises(RuntimeError, match="without overflow"):
        contract.check_a_query_without_keys_gets_the_output_bias(layer)


def test_every_property_has_a_bug_that_it_catches():
    used = {what for places in KNOWN_BUGS.values() for names in places.values() for what in names}
    there = {name.removeprefix("check_") for name in vars(contract) if name.startswith("check_")}
    # The order of the source is tested both ways above, which is its own proof.
    assert there - used == {"order_of_the_source"}
