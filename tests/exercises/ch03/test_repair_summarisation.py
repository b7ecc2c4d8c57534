"""`repair_summarisation` (chapter 03)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import normal, said, solve, wrong_answers

import attncourse
from attncourse import AdditiveScore, attend
from attncourse.exercises import broken, check


def test_the_decoders_context_is_additive_attention():
    state, encoded, matrix, vector = normal(1, 3, 2), normal(5, 3, 2), normal(7, 4), normal(7)
    score = AdditiveScore(query_dim=2, key_dim=2, hidden_dim=7).double()
    with torch.no_grad():
        score.query_projection.weight.copy_(matrix[:, :2])
        score.key_projection.weight.copy_(matrix[:, 2:])
        score.output.weight.copy_(vector[None])
    query, key = state.transpose(0, 1), encoded.transpose(0, 1)
    want = attend(query, key, key, score=score).transpose(0, 1)
    arguments = state, encoded, matrix, vector
    torch.testing.assert_close(solve("repair_translation", *arguments), want)

    mask = attncourse.padding_mask(torch.tensor([5, 1, 3]))
    want = attend(query, key, key, mask[:, None], score=score).transpose(0, 1)
    torch.testing.assert_close(solve("repair_summarisation", *arguments, mask), want)


def test_the_broken_functions_fault_is_named():
    assert said(check("repair_summarisation", broken("repair_summarisation"))).startswith(
        "your softmax runs over the batch"
    )


# -- answers as readers write them -----------------------------------------------------------------


def summary_reads_padding(state, encoded, matrix, vector, mask):
    pairs = torch.cat([state.repeat(len(encoded), 1, 1), encoded], dim=2)
    scores = torch.tanh(F.linear(pairs, matrix)) @ vector
    return torch.einsum("kb,kbh->bh", F.softmax(scores, dim=0), encoded)[None]


test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "repair_summarisation",
    [
        (summary_reads_padding, "padding is read"),
    ],
)
