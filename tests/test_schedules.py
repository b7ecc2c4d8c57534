"""attncourse.training.schedules: learning rates against straight lines drawn by hand."""

from __future__ import annotations

import pytest
from support import refused

from attncourse.training import inverse_root_schedule, linear_schedule


def test_up_in_three_steps_and_down_in_four():
    schedule = linear_schedule(steps=6, warmup=3)
    # up by thirds; after the top at step 3, four equal steps lead to 0 at step 7
    rates = [schedule(step) for step in range(1, 7)]
    assert rates == pytest.approx([1 / 3, 2 / 3, 1, 3 / 4, 1 / 2, 1 / 4])


def test_without_warmup_it_begins_at_the_top():
    schedule = linear_schedule(steps=4)
    assert [schedule(step) for step in range(1, 5)] == pytest.approx([1, 3 / 4, 1 / 2, 1 / 4])


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (1, 1), (7, 7), (100, 1), (100, 99)])
def test_no_step_is_lost_and_the_top_is_reached_once(steps, warmup):
    schedule = linear_schedule(steps, warmup)
    rates = [schedule(step) for step in range(1, steps + 1)]
    assert min(rates) > 0
    assert max(rates) == 1
    assert rates.index(1) + 1 == max(warmup, 1)
    assert rates.count(1) == 1


@pytest.mark.parametrize(
    ("steps", "warmup", "error", "words"),
    [
        (0, 0, ValueError, ("steps", "0")),
        (2.5, 0, TypeError, ("steps", "float")),
        (5, -1, ValueError, ("warmup", "-1")),
        (5, 6, ValueError, ("warmup", "5", "6")),
    ],
)
def test_what_is_no_schedule_is_refused(own_errors, steps, warmup, error, words):
    with refused(error, *words):
        linear_schedule(steps, warmup)


def test_the_papers_schedule_is_the_papers_formula():
    """Section 5.3, equation 3, for the base model: d_model 512, 4,000 steps of warm-up."""
    schedule, peak = inverse_root_schedule(4000), (512 * 4000) ** -0.5
    for step in (1, 100, 3999, 4000, 4001, 100_000):
        paper = 512**-0.5 * min(step**-0.5, step * 4000**-1.5)
        assert peak * schedule(step) == pytest.approx(paper, rel=1e-12)
    assert max(range(1, 9000), key=schedule) == 4000
    with refused(ValueError, "warmup", "positive", "0"):
        inverse_root_schedule(0)
