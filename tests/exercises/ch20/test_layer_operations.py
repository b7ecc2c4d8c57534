"""`layer_operations` (chapter 20)."""

from __future__ import annotations

import pytest
import torch
from answers import right_answers, solve, unknown_answers, wrong_answers
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import attncourse as ac


def test_three_words_of_width_two_by_hand():
    # A word and a 2 x 2 matrix: 8. Four matrices, three words: 96. A score of width 2: 4; nine
    # pairs, score and mean: 72. Six matrices, three words: 144.
    assert solve("layer_operations", 3, 2) == (96 + 72, 144)


@pytest.mark.parametrize("width", [2, 7, 512])
def test_both_cost_the_same_where_length_is_width_and_nowhere_else(width):
    attention, gru = solve("layer_operations", width, width)
    assert attention == gru
    attention, gru = solve("layer_operations", width - 1, width)
    assert attention < gru
    attention, gru = solve("layer_operations", width + 1, width)
    assert attention > gru


def test_pytorch_counts_the_same():
    length, width = 5, 12
    x = torch.randn(1, length, width)
    attention = ac.MultiHeadAttention(width, num_heads=1, bias=False)
    gru = nn.GRU(width, width, bias=False, batch_first=True)
    # While weights are recorded, nothing runs in the fused kernel, which is not counted.
    with ac.record_attention(attention), FlopCounterMode(display=False) as ours:
        attention(x)
    with FlopCounterMode(display=False) as theirs:
        gru(x)
    counted = ours.get_total_flops(), theirs.get_total_flops()
    assert counted == solve("layer_operations", length, width)


# -- answers as readers write them -----------------------------------------------------------------


def from_the_formulas(length, width):
    n, d = length, width
    return 8 * n * d**2 + 4 * n**2 * d, 12 * n * d**2


def by_the_word(length, width):
    matrix = 2 * width * width
    one = 4 * matrix + length * (2 * width + 2 * width)
    return length * one, sum(3 * (matrix + matrix) for _ in range(length))


def without_output(length, width):
    return 6 * length * width**2 + 4 * length**2 * width, 12 * length * width**2


def multiplications(length, width):
    return 4 * length * width**2 + 2 * length**2 * width, 6 * length * width**2


def scores_only(length, width):
    return 8 * length * width**2 + 2 * length**2 * width, 12 * length * width**2


def lstm(length, width):
    return 8 * length * width**2 + 4 * length**2 * width, 16 * length * width**2


def with_feed_forward(length, width):
    return 24 * length * width**2 + 4 * length**2 * width, 12 * length * width**2


test_a_right_answer_in_other_words_passes = right_answers(
    "layer_operations", [from_the_formulas, by_the_word]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "layer_operations",
    [
        (without_output, "three projections are counted"),
        (multiplications, "you count multiplications alone"),
        (scores_only, "only the scores are counted"),
        (lstm, "eight matrices are an LSTM's"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "layer_operations", [with_feed_forward]
)
