"""`repair_entities` (chapter 03)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import normal, said, solve, wrong_answers

from attncourse.exercises import EXERCISES, broken, check


def test_one_sentence_reads_another_in_the_broken_tagger():
    encoded, vector = torch.randn(5, 3, 2), torch.randn(2)
    other = torch.cat([encoded[:, :2], encoded[:, 2:] + 1], dim=1)
    tag, mended = broken("repair_entities"), EXERCISES["repair_entities"].solution
    assert tag(encoded, vector).shape == (5, 2)
    assert not torch.allclose(tag(encoded, vector), tag(other, vector))
    assert torch.equal(mended(encoded, vector)[:, :2], mended(other, vector)[:, :2])


def test_each_token_reads_its_own_sentence():
    encoded, vector = normal(5, 3, 2), normal(2)
    got = solve("repair_entities", encoded, vector)
    for token in range(5):
        for sentence in range(3):
            rows = encoded[:, sentence]
            weights = (torch.tanh(encoded[token, sentence] + rows) @ vector).softmax(0)
            torch.testing.assert_close(got[token, sentence], weights @ rows)


def test_the_broken_functions_fault_is_named():
    assert said(check("repair_entities", broken("repair_entities"))).startswith(
        "your softmax runs over the sentences"
    )


# -- answers as readers write them -----------------------------------------------------------------


def tags_without_a_question(encoded, vector):
    weights = F.softmax(encoded.tanh() @ vector, dim=0)
    return torch.einsum("ts,tsh->sh", weights, encoded).expand_as(encoded)


def tags_by_position(encoded, vector):
    scores = torch.tanh(encoded[:, :, None] + encoded[:, None]) @ vector
    return scores.softmax(-1) @ encoded


def tags_mixed_up(encoded, vector):
    scores = (encoded @ vector)[..., None] * encoded.mean((0, 1))
    return scores.softmax(1) * encoded


test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "repair_entities",
    [
        (tags_without_a_question, "nobody asks"),
        (tags_by_position, "the same position of the other sentences"),
        (tags_mixed_up, "one sentence reads another"),
    ],
)
