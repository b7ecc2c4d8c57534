"""attncourse.recurrent.cells: a step by hand, and that of PyTorch."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from references import redrawn
from small_recurrent import EMBED, HIDDEN
from torch import nn

from attncourse.recurrent import gru_step


def test_a_step_by_hand():
    # one unit: r = sigmoid(1 + 0.5), z = sigmoid(-2 + 1), n = tanh(0.3 + r * 0.7), h = 0.9
    r, z = 1 / (1 + math.exp(-1.5)), 1 / (1 + math.exp(1))
    by_hand = (1 - z) * math.tanh(0.3 + r * 0.7) + z * 0.9
    read, recalled = torch.tensor([[1.0, -2.0, 0.3]]), torch.tensor([[0.5, 1.0, 0.7]])
    assert gru_step(read, recalled, torch.tensor([[0.9]])).item() == pytest.approx(by_hand)


@pytest.mark.equals("recurrent.gru_step", "torch.nn.GRUCell", within={torch.float64: 1e-12})
def test_a_step_is_that_of_nn_gru_cell(same):
    cell = redrawn(nn.GRUCell(EMBED, HIDDEN))
    word, state = (torch.randn(3, width, dtype=torch.float64) for width in (EMBED, HIDDEN))
    read = F.linear(word, cell.weight_ih, cell.bias_ih)
    recalled = F.linear(state, cell.weight_hh, cell.bias_hh)
    same(gru_step(read, recalled, state), cell(word, state))
