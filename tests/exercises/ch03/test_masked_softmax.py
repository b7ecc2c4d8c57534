"""`masked_softmax` (chapter 03)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import unknown_answers, wrong_answers

import attncourse
from attncourse.exercises import check


def test_half_precision_explains_nothing():
    def clamped(scores, mask):  # right, but float16 rounds 1e-9 to zero
        scores = scores.masked_fill(~mask, -torch.inf)
        top = scores.amax(-1, keepdim=True).nan_to_num(neginf=0.0)
        raised = (scores - top).exp()
        return raised / raised.sum(-1, keepdim=True).clamp(min=1e-9)

    verdict = check("masked_softmax", clamped)
    assert verdict.kind == "wrong"
    assert verdict.message.startswith("Not yet: it first fails with float16.\nfloat16 is narrow")
    assert "1e-9 is rounded to zero" in verdict.message
    assert "There, the answer is" not in verdict.message


# -- answers as readers write them -----------------------------------------------------------------


def softmax_minus_1e9(scores, mask):
    return F.softmax(torch.where(mask, scores, torch.full_like(scores, -1e9)), dim=-1)


def softmax_minus_1e9_that_half_cannot_hold(scores, mask):
    if scores.dtype is torch.float16:
        return softmax_nan(scores, mask)  # -1e9 became minus infinity
    return softmax_minus_1e9(scores, mask)


def softmax_nan(scores, mask):
    return F.softmax(torch.where(mask, scores, float("-inf")), dim=-1)


def softmax_after(scores, mask):
    return F.softmax(scores, dim=-1).masked_fill(~mask, 0)


def softmax_of_queries(scores, mask):
    return F.softmax(scores.masked_fill(mask == 0, float("-inf")), dim=-2)


def softmax_second_axis(scores, mask):
    return F.softmax(scores.masked_fill(~mask, float("-inf")), dim=1).nan_to_num()


def softmax_polarity(scores, mask):
    return attncourse.masked_softmax(scores, mask.logical_not())


def softmax_overflows(scores, mask):
    top = torch.exp(scores) * mask.to(scores.dtype)
    bottom = top.sum(dim=-1, keepdim=True)
    return torch.where(bottom > 0, top / bottom, torch.zeros_like(top))


def softmax_plus(scores, mask):
    return F.softmax(scores + mask, dim=-1)


test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "masked_softmax",
    [
        (softmax_plus, "the mask is added to the scores"),
        (softmax_minus_1e9, "an empty row is then uniform"),
        (softmax_minus_1e9_that_half_cannot_hold, "an empty row is then uniform"),
        (softmax_nan, "a row with nothing to attend to is NaN"),
        (softmax_after, "the mask comes after the softmax"),
        (softmax_of_queries, "your softmax runs over the queries"),
        (softmax_second_axis, "counts its axis from the front"),
        (softmax_polarity, "the other way round"),
        (softmax_overflows, "your exp overflows"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "masked_softmax", [lambda scores, mask: attncourse.masked_softmax(scores * 0.9, mask)]
)
