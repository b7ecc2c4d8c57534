"""`repair_translation` (chapter 03)."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from answers import said, wrong_answers

from attncourse.exercises import broken, check


def test_translation_raises_unless_the_source_is_one_token():
    fails, runs = torch.ones(5, 3, 2), torch.ones(1, 3, 2)
    others = torch.ones(7, 4), torch.ones(7)
    with pytest.raises(RuntimeError):
        broken("repair_translation")(torch.ones(1, 3, 2), fails, *others)
    assert broken("repair_translation")(torch.ones(1, 3, 2), runs, *others).shape == (1, 1, 2)


def test_a_tanh_outermost_cannot_change_the_order_of_the_keys():
    # The state adds w_s . s to every key's score, and tanh is increasing.
    encoded, matrix = torch.randn(5, 3, dtype=torch.float64), torch.randn(7, 6).double()
    vector, states = torch.randn(7).double(), torch.randn(100, 3).double()
    pairs = torch.cat([states[:, None].expand(-1, 5, -1), encoded.expand(100, -1, -1)], dim=-1)
    outermost = torch.tanh(pairs @ matrix.mT @ vector / 100).argsort(-1)
    inside = (torch.tanh(pairs @ matrix.mT) @ vector).argsort(-1)
    assert (outermost == outermost[0]).all()
    assert not (inside == inside[0]).all()


def test_the_broken_functions_fault_is_named():
    assert said(check("repair_translation", broken("repair_translation"))).startswith(
        "the state is not expanded"
    )


# -- answers as readers write them -----------------------------------------------------------------


def translation_expanded_only(state, encoded, matrix, vector):
    pairs = torch.cat([state.repeat(len(encoded), 1, 1), encoded], dim=2)
    scores = torch.tanh(F.linear(pairs, matrix)) @ vector
    weights = F.softmax(scores, dim=-1)
    return torch.einsum("kb,kbh->bh", weights, encoded)[None]


def translation_outermost(state, encoded, matrix, vector):
    pairs = torch.cat([state.repeat(len(encoded), 1, 1), encoded], dim=2)
    scores = torch.tanh(F.linear(pairs, matrix) @ vector)
    return torch.einsum("kb,kbh->bh", F.softmax(scores, dim=0), encoded)[None]


test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "repair_translation",
    [
        (translation_expanded_only, "your softmax runs over the batch"),
        (translation_outermost, "the tanh is outermost"),
    ],
)
