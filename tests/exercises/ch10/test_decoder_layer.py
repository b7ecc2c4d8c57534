"""`decoder_layer` (chapter 10)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from answers import normal, right_answers, solve, unknown_answers, wrong_answers

import attncourse
from attncourse import attend, causal_mask
from attncourse.exercises import EXERCISES
from attncourse.transformer import Residual


def test_the_decoder_layer_agrees_with_the_packages_residual():
    x, memory = normal(2, 5, 6), normal(2, 7, 6)
    mask = attncourse.padding_mask(torch.tensor([7, 0]), 7)
    add = Residual(6).double()
    want = add(x, lambda x: attend(x, x, x, causal_mask(5)))
    want = add(want, lambda x: attend(x, memory, memory, mask[:, None]))
    torch.testing.assert_close(solve("decoder_layer", x, memory, mask), want)


def test_one_case_has_a_row_with_nothing_to_attend_to():
    assert "empty row" in {case.mask for case in EXERCISES["decoder_layer"].cases}


# -- answers as readers write them -----------------------------------------------------------------


def _norm(x):
    return F.layer_norm(x, x.shape[-1:])


def decoder_with_masks(x, memory, memory_mask):
    y = _norm(x + attend(x, x, x, causal_mask(x.shape[1])))
    return _norm(y + attend(y, memory, memory, memory_mask.unsqueeze(1)))


def decoder_by_torch(x, memory, memory_mask):
    y = _norm(x + F.scaled_dot_product_attention(x, x, x, is_causal=True))
    mask = memory_mask[:, None].expand(-1, x.shape[1], -1)
    read = F.scaled_dot_product_attention(y, memory, memory, mask).nan_to_num(0.0)
    return _norm(y + read.masked_fill(~memory_mask.any(1)[:, None, None], 0.0))


def _two_halves(look, read):
    def answer(x, memory, memory_mask):
        y = look(x)
        return read(y, memory, memory_mask)

    return answer


def _look(x):
    return _norm(x + attend(x, x, x, causal=True))


def _read(y, memory, mask):
    return _norm(y + attend(y, memory, memory, mask[:, None]))


decoder_open = _two_halves(lambda x: _norm(x + attend(x, x, x)), _read)


decoder_turned = _two_halves(
    lambda x: _norm(x + attend(x, x, x, torch.ones(x.shape[1], x.shape[1]).triu().bool())), _read
)


decoder_strict = _two_halves(
    lambda x: _norm(x + attend(x, x, x, torch.ones(x.shape[1], x.shape[1]).tril(-1).bool())), _read
)


decoder_asked_by_memory = _two_halves(
    _look, lambda y, memory, mask: _norm(y + attend(memory, y, y, mask[:, :, None]))
)


decoder_reads_padding = _two_halves(
    _look, lambda y, memory, mask: _norm(y + F.scaled_dot_product_attention(y, memory, memory))
)


decoder_mask_inverted = _two_halves(
    _look, lambda y, memory, mask: _norm(y + attend(y, memory, memory, ~mask[:, None]))
)


decoder_mask_without_axis = _two_halves(
    _look, lambda y, memory, mask: _norm(y + attend(y, memory, memory, mask))
)


decoder_without_residuals = _two_halves(
    lambda x: _norm(attend(x, x, x, causal=True)),
    lambda y, memory, mask: _norm(attend(y, memory, memory, mask[:, None])),
)


decoder_alone = _two_halves(_look, lambda y, memory, mask: _norm(y + attend(y, y, y)))


def decoder_unread(x, memory, memory_mask):
    return 2 * _norm(_look(x) + memory.sum() * 0)


def decoder_norm_first(x, memory, memory_mask):
    normed = _norm(x)
    x = x + attend(normed, normed, normed, causal=True)
    return x + attend(_norm(x), memory, memory, memory_mask[:, None])


def decoder_nan(x, memory, memory_mask):
    scores = _look(x) @ memory.mT / math.sqrt(x.shape[-1])
    weights = F.softmax(scores.masked_fill(~memory_mask[:, None], -torch.inf), dim=-1)
    return _norm(_look(x) + weights @ memory)


test_a_right_answer_in_other_words_passes = right_answers(
    "decoder_layer", [decoder_with_masks, decoder_by_torch]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "decoder_layer",
    [
        (decoder_open, "no causal mask"),
        (decoder_turned, "your causal mask is the other way round"),
        (decoder_strict, "a word does not see itself"),
        (decoder_asked_by_memory, "the memory asks"),
        (decoder_reads_padding, "padding of the source is read"),
        (decoder_mask_inverted, "the memory's mask is the other way round"),
        (decoder_mask_without_axis, "the memory's mask has no axis"),
        (decoder_without_residuals, "a residual is missing"),
        (decoder_alone, "reads what is written in place of the memory"),
        (_two_halves(_look, lambda y, *memory: y), "the memory is never read"),
        (decoder_unread, "the memory is never read"),
        (decoder_norm_first, "the norm comes first"),
        (decoder_nan, "gets NaN"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "decoder_layer", [lambda x, memory, mask: decoder_with_masks(x, 2 * memory, mask)]
)
