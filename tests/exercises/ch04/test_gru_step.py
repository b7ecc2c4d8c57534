"""`gru_step` (chapter 04)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import normal, right_answers, solve, unknown_answers, wrong_answers
from torch import nn

from attncourse.recurrent import gru_step


def test_a_step_agrees_with_pytorchs_cell_and_the_packages():
    cell = nn.GRUCell(5, 3, bias=False).double()
    word, state = normal(2, 5), normal(2, 3)
    got = solve("gru_step", word, state, cell.weight_ih, cell.weight_hh)
    torch.testing.assert_close(got, cell(word, state))
    read, recalled = word @ cell.weight_ih.mT, state @ cell.weight_hh.mT
    torch.testing.assert_close(got, gru_step(read, recalled, state))


# -- answers as readers write them -----------------------------------------------------------------


def gru_in_one_matrix(word, state, word_weight, state_weight):
    h = state.shape[-1]
    x, u = F.linear(word, word_weight), F.linear(state, state_weight)
    r = (x[:, :h] + u[:, :h]).sigmoid()
    z = (x[:, h : 2 * h] + u[:, h : 2 * h]).sigmoid()
    n = torch.tanh(x[:, 2 * h :] + r * u[:, 2 * h :])
    return n + z * (state - n)


def _gates(word, state, word_weight, state_weight):
    x, u = F.linear(word, word_weight), F.linear(state, state_weight)
    (a, b, c), (d, e, f) = x.split(state.size(-1), -1), u.split(state.size(-1), -1)
    return (a + d).sigmoid(), (b + e).sigmoid(), c, f


def gru_turned(word, state, *weights):
    r, z, x, u = _gates(word, state, *weights)
    return (1 - z) * state + z * (x + r * u).tanh()


def gru_of_the_papers(word, state, word_weight, state_weight):
    r, z, x, _ = _gates(word, state, word_weight, state_weight)
    n = (x + F.linear(r * state, state_weight[2 * state.size(-1) :])).tanh()
    return n + z * (state - n)


def gru_sigmoid(word, state, *weights):
    r, z, x, u = _gates(word, state, *weights)
    return (1 - z) * (x + r * u).sigmoid() + z * state


def gru_gates_mixed_up(word, state, *weights):
    z, r, x, u = _gates(word, state, *weights)
    return (1 - z) * (x + r * u).tanh() + z * state


test_a_right_answer_in_other_words_passes = right_answers("gru_step", [gru_in_one_matrix])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "gru_step",
    [
        (gru_turned, "the update gate is turned round"),
        (gru_of_the_papers, "the reset gate multiplies the state before its matrix"),
        (gru_sigmoid, "the proposal goes through a sigmoid"),
        (gru_gates_mixed_up, "the thirds are mixed up"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "gru_step", [lambda w, h, a, b: gru_in_one_matrix(w, h, a, b) * 0.9]
)
