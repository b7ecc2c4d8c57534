"""`merge_heads` (chapter 07)."""

from __future__ import annotations

import torch
from answers import right_answers, solve, unknown_answers, wrong_answers


def test_heads_are_slices_of_the_features():
    x = torch.arange(12).reshape(1, 2, 6)  # two words of six features
    heads = solve("split_heads", x, 3)
    assert heads.tolist() == [[[[0, 1], [6, 7]], [[2, 3], [8, 9]], [[4, 5], [10, 11]]]]
    assert torch.equal(solve("merge_heads", heads), x)


# -- answers as readers write them -----------------------------------------------------------------


def merge_by_view(x):
    return x.permute(0, 2, 1, 3).contiguous().view(x.size(0), x.size(2), -1)


def merge_by_cat(x):
    return torch.cat(x.unbind(dim=1), dim=-1)


def merge_in_memory(x):
    return x.contiguous().view(x.size(0), x.size(2), -1)


def merge_by_view_alone(x):
    return x.transpose(1, 2).view(x.size(0), x.size(2), -1)


def merge_mean(x):
    return torch.mean(x, dim=1)


test_a_right_answer_in_other_words_passes = right_answers(
    "merge_heads", [merge_by_view, merge_by_cat]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "merge_heads",
    [
        (merge_in_memory, "the heads are joined as they come in memory"),
        (merge_by_view_alone, "view() cannot join axes"),
        (merge_mean, "the heads are averaged or summed"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "merge_heads", [lambda x: merge_by_cat(x.flip(1))]
)
