"""attncourse.decoding: what every search does; rows of a state; what is refused."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from searched import (
    BOS,
    EOS,
    LOWEST,
    MARKS,
    SEARCHES,
    Markov,
    ends_after,
    kinds,
    lists,
    sampled,
    tables,
    translator,
)
from support import refused
from torch import Tensor, nn

from attncourse import padding_mask
from attncourse.decoding import greedy, select
from attncourse.recurrent import AttentionDecoder, GRUDecoder
from attncourse.transformer import Transformer, TransformerConfig

# Rows of a state


class Pair(NamedTuple):
    left: Tensor
    right: Tensor | None


def test_rows_are_taken_from_every_tensor_of_a_nesting():
    first, second = torch.arange(10).view(5, 2), torch.arange(5.0).view(5, 1, 1)
    state = [Pair(first, None), {"a": (second, None), "b": [first]}]
    taken = select(state, torch.tensor([3, 0, 3]))
    assert isinstance(taken, list)
    assert isinstance(taken[0], Pair)
    assert taken[0].left.tolist() == [[6, 7], [0, 1], [6, 7]]
    assert taken[0].right is None
    assert isinstance(taken[1]["a"], tuple)
    assert taken[1]["a"][0].flatten().tolist() == [3, 0, 3]
    assert taken[1]["b"][0].tolist() == taken[0].left.tolist()
    assert first.tolist()[0] == [0, 1]


def test_what_has_no_rows_is_refused(own_errors):
    with refused(TypeError, "state", "tuples", "str"):
        select((torch.zeros(2), "a"), torch.tensor([0]))


# Every search


@SEARCHES
def test_a_sentence_that_does_not_end_is_cut(search):
    logits = torch.full((1, 5, 5), LOWEST, dtype=torch.float64)
    logits[0, :, 4] = 0.0
    model = Markov(logits)
    decoded = search(model, kinds(1), **MARKS, max_length=3)
    assert decoded.tokens.tolist() == [[4, 4, 4]]
    assert decoded.lengths.tolist() == [3]
    assert len(model.rows) == 3
    assert lists(search(model, kinds(1), **MARKS, max_length=1)) == [[4]]


@SEARCHES
def test_no_step_is_made_after_the_last_sentence_ended(search):
    model = ends_after(1, 1)
    search(model, kinds(2), **MARKS, max_length=97)
    assert model.rows == [2]


@SEARCHES
def test_a_token_that_may_not_come_never_comes(search):
    table = tables(5, 7)
    table[:, :, [3, 5]] = -torch.inf
    decoded = search(Markov(table), kinds(5), **MARKS, max_length=11)
    assert not {3, 5} & {token for row in lists(decoded) for token in row}
    assert decoded.log_probability.isfinite().all()


@SEARCHES
def test_nothing_is_kept_for_gradients(search):
    model = translator(GRUDecoder)
    decoded = search(model, torch.randint(19, (3, 5)), **MARKS, max_length=7)
    assert not decoded.log_probability.requires_grad
    assert torch.is_grad_enabled()


@SEARCHES
def test_no_sentences_give_no_sentences(search):
    decoded = search(
        translator(AttentionDecoder), torch.zeros(0, 5, dtype=torch.int64), **MARKS, max_length=7
    )
    assert decoded.tokens.shape == (0, 0)
    assert decoded.lengths.shape == decoded.log_probability.shape == (0,)


@SEARCHES
def test_an_empty_source_is_translated_too(search):
    decoded = search(
        translator(AttentionDecoder), torch.zeros(2, 0, dtype=torch.int64), **MARKS, max_length=7
    )
    assert decoded.log_probability.isfinite().all()


@SEARCHES
@pytest.mark.usefixtures("own_errors")
def test_marks_and_lengths_may_be_numpys(search):
    marks = {name: np.int64(mark) for name, mark in MARKS.items()}
    assert len(search(ends_after(2), kinds(1), **marks, max_length=np.int64(5)).tokens) == 1


# With the models of the course

DECODERS = pytest.mark.parametrize("decoder", [GRUDecoder, AttentionDecoder])


@DECODERS
@SEARCHES
def test_batched_is_one_by_one(decoder, search, device):
    model = translator(decoder).to(device)
    if search in (greedy, sampled):  # alone they seldom meet the end mark
        model.decoder.readout.output.bias.data[EOS] += 3.0
    lengths = torch.tensor([7, 1, 5, 3, 7, 2, 6, 4, 1, 5, 7])
    source, mask = torch.randint(19, (11, 7)), padding_mask(lengths, 7)
    source, mask = source.to(device), mask.to(device)
    together = search(model, source, mask, **MARKS, max_length=11)
    assert together.tokens.device.type == device.type
    assert len(set(together.lengths.tolist())) > 1, "a case that shows nothing"
    for i, length in enumerate(lengths.tolist()):
        alone = search(model, source[i : i + 1, :length], **MARKS, max_length=11)
        assert lists(alone) == lists(together)[i : i + 1]
        torch.testing.assert_close(alone.log_probability[0], together.log_probability[i])


@DECODERS
@SEARCHES
def test_the_log_probability_is_that_of_the_forward_pass(decoder, search):
    model = translator(decoder).eval()
    source = torch.randint(19, (5, 7))
    decoded = search(model, source, **MARKS, max_length=11)
    mask = padding_mask(decoded.lengths, decoded.tokens.shape[1])
    read = torch.cat([torch.full((5, 1), BOS), decoded.tokens[:, :-1]], 1)
    each = model(source, read).log_softmax(-1).gather(2, decoded.tokens[..., None])[..., 0]
    torch.testing.assert_close(decoded.log_probability, (each * mask).sum(1))
    if search is greedy:
        assert torch.equal(model(source, read).argmax(-1)[mask], decoded.tokens[mask])


@SEARCHES
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_probabilities_are_summed_in_single_precision_at_least(search, dtype):
    model = translator(AttentionDecoder, dtype)
    decoded = search(model, torch.randint(19, (3, 5)), **MARKS, max_length=7)
    wanted = torch.float64 if dtype == torch.float64 else torch.float32
    assert decoded.log_probability.dtype == wanted
    assert decoded.tokens.dtype == decoded.lengths.dtype == torch.int64


@SEARCHES
def test_low_precision_does_not_reach_the_probabilities(search):
    model = translator(AttentionDecoder, torch.bfloat16)
    logits = []

    class Listening:
        def start(self, *inputs):
            return model.start(*inputs)

        def step(self, tokens, state):
            found, state = model.step(tokens, state)
            logits.append(found)
            return found, state

    torch.manual_seed(0)
    decoded = search(Listening(), torch.randint(19, (1, 5)), **MARKS, max_length=1)
    likely = logits[0][0].float().log_softmax(-1)
    torch.testing.assert_close(decoded.log_probability[0], likely[decoded.tokens[0, 0]])


@SEARCHES
def test_the_model_is_left_in_the_mode_that_it_was_in(search):
    model = translator(AttentionDecoder).train()
    model.encoder.eval()  # frozen, say
    before = [module.training for module in model.modules()]
    source = torch.randint(19, (3, 5))
    modes = []
    model.decoder.register_forward_hook(lambda module, *_: modes.append(module.training))
    first = search(model, source, **MARKS, max_length=7)
    assert modes
    assert not any(modes)
    assert [module.training for module in model.modules()] == before
    assert torch.equal(first.tokens, search(model.eval(), source, **MARKS, max_length=7).tokens)
    model.train()
    with pytest.raises(ValueError, match="source"):
        search(model, source + 19, **MARKS, max_length=7)
    assert all(module.training for module in model.modules())


# Bad input


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"max_length": 0}, ValueError, ["max_length", "positive", "0"]),
        ({"max_length": 2.0}, TypeError, ["max_length", "integer", "float"]),
        ({"eos": -1}, ValueError, ["eos", "negative", "-1"]),
        ({"bos": "1"}, TypeError, ["bos", "integer", "str"]),
        ({"pad": True}, TypeError, ["pad", "integer", "bool"]),
        ({"source": [[1]]}, TypeError, ["source", "tensor", "list"]),
        ({"source": torch.ones(2, 3)}, TypeError, ["source", "int64", "float32"]),
        ({"source": torch.ones(3).long()}, ValueError, ["source", "(batch, source)", "(3,)"]),
        ({"model": nn.Linear(2, 3)}, TypeError, ["model", "start", "Linear"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
@SEARCHES
def test_what_cannot_be_searched_is_refused(own_errors, search, changes, error, words):
    options = {"model": ends_after(2), "source": kinds(1), **MARKS, "max_length": 5} | changes
    with refused(error, *words):
        search(options.pop("model"), options.pop("source"), **options)


class Wrong:
    """A model whose logits are not what a search needs."""

    def __init__(self, logits):
        self.logits = logits

    def start(self, source, source_mask=None):
        return None

    def step(self, tokens, state):
        return self.logits(len(tokens)), state


@SEARCHES
def test_logits_of_another_shape_are_refused(search):
    for logits in (lambda rows: torch.zeros(rows, 1, 7), lambda rows: torch.zeros(rows + 1, 7)):
        with refused(ValueError, "model", "(3, vocabulary)", str(tuple(logits(3).shape))):
            search(Wrong(logits), kinds(3), **MARKS, max_length=5)


@SEARCHES
@pytest.mark.parametrize("since", [1, 2, 4])  # also after sentences that have ended
@pytest.mark.parametrize(
    ("bad", "where", "words"),
    [
        (math.nan, [6], "nan"),
        (math.nan, slice(None), "nan"),
        (math.inf, [6], "is inf"),
        (-math.inf, slice(None), "-inf"),
    ],
    ids=["a NaN", "NaN alone", "infinite", "nothing may come"],
)
def test_logits_that_are_not_finite_are_told(search, since, bad, where, words):
    # Kind: what is not finite must show.
    steps = 0

    def logits(rows):
        nonlocal steps
        steps += 1
        likely = torch.tensor([0.0, 0.0, 4.0, 5.0, 0.0, 0.0, 0.0])  # 2 is the end
        if steps >= since:
            likely[where] = bad
        return likely.expand(rows, -1)

    with refused(ValueError, "model", "Wrong", words):
        search(Wrong(logits), kinds(3), **MARKS, max_length=5)


@SEARCHES
def test_no_model_with_a_weight_of_nan_writes_a_sentence(search):
    # Kind: what is not finite must show, also where a layer in between could hide it.
    sizes = {"embed_dim": 12, "num_heads": 3, "ffn_dim": 7, "num_layers": 1}
    transformer = Transformer(TransformerConfig(19, target_vocab_size=13, **sizes, max_len=11))
    for model in (translator(GRUDecoder), translator(AttentionDecoder), transformer):
        for weight in model.parameters():
            whole = weight.detach().clone()
            weight.data.fill_(math.nan)
            with refused(ValueError, "model", "nan", type(model).__name__):
                search(model, torch.randint(19, (2, 5)), **MARKS, max_length=3)
            weight.data.copy_(whole)
