"""attncourse.language: the reader, the masked and the causal language model."""

from __future__ import annotations

import pytest
import torch
from contract import CLOSE as EXACT
from small_language import CLOSE, LENGTHS, MARKS, ROOM, SIZES, VOCAB, causal, masked, reader, texts
from support import COMPILES, refused

from attncourse import record_attention
from attncourse.decoding import greedy
from attncourse.language import (
    CausalLanguageModel,
    LanguageModelConfig,
    MaskedLanguageModel,
    TextReader,
)

SEGMENTS = torch.tensor([[0, 0, 1, 1, 1, 1, 1], [0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 0, 0]])
BOTH_WAYS = pytest.mark.parametrize(
    "options",
    [{}, {"positions": "rotary", "norm_first": True}, {"norm_embeddings": False}],
    ids=["as BERT", "rotary, norm first", "no norm of embeddings"],
)


# Each text by itself


@BOTH_WAYS
def test_a_masked_model_reads_each_text_as_if_alone(options):
    model, (tokens, mask) = masked(**options), texts()
    towards = torch.randn(3, 7, VOCAB, dtype=torch.float64)

    def run(tokens, segments, mask, towards):
        model.zero_grad()
        logits = model(tokens, segments=segments, padding_mask=mask)
        (logits * towards)[mask].sum().backward()
        return logits, [weight.grad.clone() for weight in model.parameters()]

    together, gradients = run(tokens, SEGMENTS, mask, towards)
    sums = [torch.zeros_like(gradient) for gradient in gradients]
    for row, length in enumerate(LENGTHS.tolist()):
        one, until = slice(row, row + 1), slice(length)
        each = (given[one, until] for given in (tokens, SEGMENTS, mask, towards))
        alone, parts = run(*each)
        torch.testing.assert_close(together[one, until], alone, **CLOSE)
        sums = [total + part for total, part in zip(sums, parts, strict=True)]
    for gradient, total in zip(gradients, sums, strict=True):
        torch.testing.assert_close(gradient, total, rtol=1e-10, atol=1e-9)


@BOTH_WAYS
def test_padding_may_hold_anything(options):
    model, (tokens, mask) = masked(**options), texts()
    before = model(tokens, segments=SEGMENTS, padding_mask=mask)
    odd = tokens.masked_fill(~mask, -100), SEGMENTS.masked_fill(~mask, 99)
    after = model(odd[0], segments=odd[1], padding_mask=mask)
    torch.testing.assert_close(after[mask], before[mask], **CLOSE)


def test_a_masked_model_sees_both_sides():
    model, (tokens, _) = masked(), texts()
    before = model(tokens)
    for place in range(7):
        changed = tokens.clone()
        changed[:, place] = (changed[:, place] + 1) % VOCAB
        moved = (model(changed) - before).abs().amax(-1)
        assert (moved > 1e-4).all(), f"token {place} is not seen everywhere"


@BOTH_WAYS
def test_the_order_of_words_matters(options):
    model, (tokens, _) = masked(**options), texts()
    turned = model(tokens.roll(1, 1)).roll(-1, 1)
    assert (turned - model(tokens)).abs().max() > 0.01
    plain = masked(positions="none")
    torch.testing.assert_close(plain(tokens.roll(1, 1)).roll(-1, 1), plain(tokens), **CLOSE)


def test_without_segments_all_is_the_first():
    model, (tokens, mask) = masked(), texts()
    zeros = torch.zeros_like(tokens)
    plain = model(tokens, padding_mask=mask)
    assert torch.equal(model(tokens, segments=zeros, padding_mask=mask), plain)
    moved = model(tokens, segments=SEGMENTS, padding_mask=mask) - plain
    assert moved[mask].abs().amax() > 0.01


def test_only_what_is_chosen_is_answered():
    model, (tokens, mask) = masked(), texts()
    chosen = mask & (torch.rand(3, 7) < 0.4)
    every = model(tokens, padding_mask=mask)
    answered = model(tokens, padding_mask=mask, chosen=chosen)
    assert answered.shape == (int(chosen.sum()), VOCAB)
    torch.testing.assert_close(answered, every[chosen], **CLOSE)


def test_a_text_without_words_is_harmless():
    model, (tokens, mask) = masked(), texts()
    mask[1] = False
    logits = model(tokens, padding_mask=mask)
    logits.square().sum().backward()
    assert logits.isfinite().all()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


def test_the_pooler_is_its_formula():
    model, (tokens, mask) = reader(pooler=True), texts()
    hidden = model(tokens, padding_mask=mask)
    by_hand = (hidden[:, 0] @ model.pooler.weight.T + model.pooler.bias).tanh()
    torch.testing.assert_close(model.pool(hidden), by_hand, **CLOSE)


def test_the_words_that_are_read_are_those_that_are_written():
    for model in (masked(), causal()):
        assert model.output.weight is model.reader.words.weight
        words = dict(model.named_parameters())["reader.words.weight"]
        assert sum(weight is words for weight in model.parameters()) == 1


# Word by word


@pytest.mark.parametrize("positions", ["learned", "rotary", "none"])
@pytest.mark.parametrize("dtype", EXACT, ids=str)
def test_reading_at_once_is_reading_one_by_one(positions, dtype):
    model, (tokens, _) = causal(positions=positions).to(dtype), texts()
    logits, state = model.read(tokens[:, :4], model.start())
    one = {"rtol": 0, "atol": EXACT[dtype]}
    torch.testing.assert_close(logits, model(tokens)[:, 3], **one)
    for place in range(4, 7):
        logits, state = model.step(tokens[:, place], state)
        torch.testing.assert_close(logits, model(tokens)[:, place], **one)
    assert [len(cache) for cache in state] == [7, 7]


@pytest.mark.parametrize("positions", ["learned", "rotary", "none"])
def test_writing_with_the_cache_is_writing_without(positions):
    model, (tokens, mask) = causal(positions=positions), texts()
    found = greedy(model, prompt=tokens, prompt_mask=mask, **MARKS, max_length=9)
    for row, length in enumerate(LENGTHS.tolist()):
        read = [1, *tokens[row, :length].tolist()]
        while len(read) <= length + 9 and 2 not in read[length + 1 :]:
            read.append(int(model(torch.tensor([read]))[0, -1].argmax()))
        assert found.tokens[row, : found.lengths[row]].tolist() == read[length + 1 :]


# Kinds of number, recording, compiling


@pytest.mark.parametrize(
    ("dtype", "atol"), [(torch.float32, 1e-5), (torch.bfloat16, 0.3), (torch.float16, 0.05)]
)
def test_logits_in_every_dtype_are_those_of_float64(dtype, atol):
    model, (tokens, mask) = masked(), texts()
    exact = model(tokens, segments=SEGMENTS, padding_mask=mask)
    logits = model.to(dtype)(tokens, segments=SEGMENTS, padding_mask=mask)
    assert logits.dtype == dtype
    torch.testing.assert_close(logits.double()[mask], exact[mask], rtol=0, atol=atol)


def test_recorded_maps_weigh_no_padding_and_change_nothing():
    for model, name in ((masked(), "reader."), (reader(), "")):
        tokens, mask = texts()
        before = model(tokens, padding_mask=mask)
        with record_attention(model) as maps:
            after = model(tokens, padding_mask=mask)
        torch.testing.assert_close(after, before, **CLOSE)
        assert set(maps) == {f"{name}encoder.layers.{i}.attention" for i in (0, 1)}
        for weights in maps.values():
            assert weights.shape == (3, 3, 7, 7)
            assert not weights.masked_select(~mask[:, None, None]).any()
            torch.testing.assert_close(weights.sum(-1), torch.ones(3, 3, 7).double())


def test_recorded_maps_of_a_causal_model_weigh_no_future():
    model, (tokens, mask) = causal(), texts()
    with record_attention(model) as maps:
        model(tokens, padding_mask=mask)
    assert not any(weights.triu(1).any() for weights in maps.values())


@COMPILES
@pytest.mark.parametrize(
    ("make", "options"), [(masked, {"segments": SEGMENTS}), (causal, {})], ids=["masked", "causal"]
)
def test_it_compiles_in_one_graph(make, options):
    model, (tokens, mask) = make(num_layers=1).train(), texts()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    logits = compiled(tokens, padding_mask=mask, **options)
    torch.testing.assert_close(logits, model(tokens, padding_mask=mask, **options), **CLOSE)
    logits.square().sum().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


def test_dropout_is_for_training_alone():
    model, (tokens, _) = masked(dropout=0.5), texts()
    assert torch.equal(model(tokens), model(tokens))
    model.train()
    assert not torch.equal(model(tokens), model(tokens))


# Sizes


def test_presets_are_the_papers():
    """BERT base and GPT-2 small, counted by hand: embeddings, 12 layers, norms, and the head."""
    layer = 4 * (768 * 768 + 768) + 768 * 3072 + 3072 + 3072 * 768 + 768 + 4 * 768
    bert, gpt2 = (LanguageModelConfig.preset(*each) for each in (("bert", 30522), ("gpt2", 50257)))
    with torch.device("meta"):
        base = TextReader(LanguageModelConfig.preset("bert", 30522, pooler=True))
        sizes = [base, MaskedLanguageModel(bert), CausalLanguageModel(gpt2)]
    counted = [sum(weight.numel() for weight in model.parameters()) for model in sizes]
    square = 768 * 768 + 768
    embeddings = (30522 + 512 + 2) * 768 + 2 * 768
    assert counted[0] == embeddings + 12 * layer + square == 109_482_240
    assert counted[1] == embeddings + 12 * layer + square + 2 * 768 + 30522
    assert counted[2] == (50257 + 1024) * 768 + 12 * layer + 2 * 768 == 124_439_808


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"vocab_size": 0}, ValueError, ["vocab_size", "positive", "0"]),
        ({"max_len": 2.0}, TypeError, ["max_len", "integer", "float"]),
        ({"num_segments": -1}, ValueError, ["num_segments", "negative", "-1"]),
        ({"num_heads": 5}, ValueError, ["num_heads", "divide", "5", "12"]),
        ({"norm_embeddings": 1}, TypeError, ["norm_embeddings", "True or False"]),
        ({"pooler": "no"}, TypeError, ["pooler", "True or False", "'no'"]),
        ({"dropout": 1.0}, ValueError, ["dropout", "[0, 1)", "1.0"]),
        ({"positions": "sinusoidal"}, ValueError, ["positions", "learned, rotary, none"]),
        ({"activation": "swish"}, ValueError, ["activation", "gelu_tanh", "'swish'"]),
        ({"norm_eps": -1.0}, ValueError, ["norm_eps", "-1.0"]),
    ],
    ids=str,
)
def test_sizes_that_do_not_fit_are_refused(own_errors, changes, error, words):
    config = LanguageModelConfig(**{"vocab_size": VOCAB} | SIZES | changes)
    with refused(error, *words):
        MaskedLanguageModel(config)


def test_what_a_causal_model_cannot_use_is_refused(own_errors):
    for name, value in (("num_segments", 2), ("pooler", True)):
        with refused(ValueError, name, str(value)):
            causal(**{name: value})
    with refused(TypeError, "config", "LanguageModelConfig", "dict"):
        CausalLanguageModel(SIZES)
    with refused(ValueError, "name", "bert, gpt2, tiny", "'gpt3'"):
        LanguageModelConfig.preset("gpt3", VOCAB)
    with refused(TypeError, "depth"):
        LanguageModelConfig.preset("gpt2", VOCAB, depth=3)


# Bad input


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"tokens": [[4]]}, TypeError, ["tokens", "list"]),
        ({"tokens": torch.ones(3, 7)}, TypeError, ["tokens", "int64", "float32"]),
        ({"tokens": torch.ones(7).long()}, ValueError, ["tokens", "(batch, length)", "(7,)"]),
        ({"tokens": torch.ones(3, 0).long()}, ValueError, ["tokens", "at least one"]),
        ({"tokens": torch.ones(3, 24).long()}, ValueError, ["tokens", "24", "max_len", "23"]),
        ({"tokens": torch.full((3, 7), 31)}, ValueError, ["tokens", "0 to 30", "got 31"]),
        ({"tokens": torch.full((3, 7), -1)}, ValueError, ["tokens", "0 to 30", "got -1"]),
        ({"segments": torch.full((3, 7), 2)}, ValueError, ["segments", "0 to 1", "got 2"]),
        ({"segments": torch.ones(3, 6).long()}, ValueError, ["segments", "(3, 6)", "(3, 7)"]),
        ({"segments": torch.ones(3, 7)}, TypeError, ["segments", "int64"]),
        ({"padding_mask": torch.ones(3, 6).bool()}, ValueError, ["padding_mask", "(3, 6)"]),
        ({"padding_mask": torch.ones(3, 7).long()}, TypeError, ["padding_mask", "int64"]),
        ({"padding_mask": torch.arange(7).expand(3, 7) > 2}, ValueError, ["padding_mask", "start"]),
        ({"chosen": torch.ones(3, 6).bool()}, ValueError, ["chosen", "(3, 7)", "(3, 6)"]),
        ({"chosen": torch.ones(3, 7)}, TypeError, ["chosen", "boolean"]),
    ],
    ids=str,
)
def test_texts_that_cannot_be_read_are_refused(own_errors, changes, error, words):
    options = {"tokens": torch.full((3, 7), 5)} | changes
    with refused(error, *words):
        masked()(options.pop("tokens"), **options)


def test_segments_without_a_table_are_refused(own_errors):
    tokens, _ = texts()
    with refused(ValueError, "segments", "num_segments", "0"):
        masked(num_segments=0)(tokens, segments=SEGMENTS)
    with refused(ValueError, "pooler", "False"):
        model = reader()
        model.pool(model(tokens))


def test_steps_that_do_not_fit_are_refused_and_change_nothing(own_errors):
    model, (tokens, _) = causal(), texts()
    _, state = model.read(tokens, model.start())
    held = [cache.key.clone() for cache in state]
    with refused(TypeError, "tokens", "int64", "float32"):
        model.step(tokens[:, 0].float(), state)
    with refused(ValueError, "tokens", "0 to 30", "31"):
        model.step(torch.tensor([3, 31, 4]), state)
    with refused(ValueError, "(1,"):
        model.step(tokens[:1, 0], state)
    with refused(ValueError, "another model"):
        causal().step(tokens[:, 0], state)
    with refused(ValueError, "24", "max_len", str(ROOM)):
        model.read(torch.full((3, 17), 5), state)
    assert all(torch.equal(cache.key, key) for cache, key in zip(state, held, strict=True))
    assert model.read(torch.full((3, 16), 5), state)[0].shape == (3, VOCAB)
