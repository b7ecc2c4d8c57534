"""`check`, `hint`, `solution` and `broken`: what a reader calls."""

from __future__ import annotations

import pytest
import torch

from attncourse.exercises import EXERCISES, broken, check, exercises, hint, solution


def _right(query, key, value):
    return torch.softmax(key @ query, 0) @ value


def test_a_verdict_shows_its_message_and_counts_as_its_truth():
    verdict = check("soft_lookup", _right)
    assert repr(verdict) == verdict.message
    assert verdict.message == (
        "Passed: soft_lookup is right in all 8 cases, and so are its gradients."
    )
    assert bool(verdict) is True


def test_hint_and_solution_show_as_plain_text():
    assert repr(hint("soft_lookup")) == str(hint("soft_lookup"))
    assert repr(solution("soft_lookup")).startswith("def soft_lookup(query, key, value):\n    ")


@pytest.mark.usefixtures("own_errors")
@pytest.mark.parametrize("function", [hint, solution, broken, lambda name: check(name, _right)])
def test_an_unknown_name_is_answered_with_the_nearest(function):
    with pytest.raises(ValueError, match="is named 'soft_lokup'; nearest: soft_lookup"):
        function("soft_lokup")
    with pytest.raises(ValueError, match="nearest: repair_pooling, soft_lookup, "):
        function("")
    with pytest.raises(TypeError, match="name must be an exercise's name, got function"):
        function(_right)


def test_what_is_not_broken_cannot_be_had_broken():
    with pytest.raises(ValueError, match="'soft_lookup' has nothing to repair; these have: re"):
        broken("soft_lookup")


def test_the_listing_names_every_exercise_in_the_order_of_chapters():
    lines = exercises().splitlines()
    assert [line.split()[1].rstrip(":") for line in lines] == list(EXERCISES)
    assert [line[:2] for line in lines] == sorted(line[:2] for line in lines)
