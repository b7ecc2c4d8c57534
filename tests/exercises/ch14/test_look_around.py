"""`look_around` (chapter 14)."""

from __future__ import annotations

import torch
from answers import normal, right_answers, said, solve, unknown_answers, wrong_answers

from attncourse import attend
from attncourse.exercises import broken, check


def test_looking_around_agrees_with_attend():
    states = normal(5, 3, 7)
    x = states.transpose(0, 1)
    torch.testing.assert_close(solve("look_around", states).transpose(0, 1), attend(x, x, x))


def test_in_the_broken_function_one_text_reads_another():
    states = normal(5, 3, 7)
    other = states.clone()
    other[:, 1] += 1
    assert not torch.allclose(broken("look_around")(states), broken("look_around")(other))
    one, two = solve("look_around", states), solve("look_around", other)
    assert torch.equal(one[:, 0], two[:, 0])


def test_the_broken_function_fails_by_its_name():
    assert said(check("look_around", broken("look_around"))).startswith(
        "the softmax and the sum run over the batch"
    )


# -- answers as readers write them -----------------------------------------------------------------


def with_attend(states):
    x = states.permute(1, 0, 2)
    return attend(x, x, x).permute(1, 0, 2)


def with_einsum(states):
    scores = torch.einsum("qbd,kbd->bqk", states, states) / states.size(-1) ** 0.5
    return torch.einsum("bqk,kbd->qbd", torch.softmax(scores, dim=2), states)


def moved_to_the_length(states):
    scores = torch.tanh(states.mean(-1, keepdim=True))
    return (torch.softmax(scores, dim=0) * states).sum(0)


def moved_and_repeated(states):
    return moved_to_the_length(states)[None].repeat(states.size(0), 1, 1)


def as_they_come(states):
    return attend(states, states, states)


def not_brought_back(states):
    x = states.transpose(0, 1)
    return torch.softmax(x @ x.mT / x.size(-1) ** 0.5, -1) @ x


def unscaled(states):
    x = states.transpose(0, 1)
    return (torch.bmm(x, x.transpose(1, 2)).softmax(-1) @ x).transpose(0, 1)


test_a_right_answer_in_other_words_passes = right_answers("look_around", [with_attend, with_einsum])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "look_around",
    [
        (moved_to_the_length, "all words of a text get the same"),
        (moved_and_repeated, "all words of a text get the same"),
        (as_they_come, "at its own place in the other texts"),
        (not_brought_back, "the answer is (batch, length, width)"),
        (unscaled, "not divided by the root"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "look_around", [lambda states: with_attend(states) + 1]
)
