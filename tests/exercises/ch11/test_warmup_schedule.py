"""`warmup_schedule` (chapter 11)."""

from __future__ import annotations

import math

import pytest
import torch
from answers import right_answers, solve, unknown_answers, wrong_answers

from attncourse.training import inverse_root_schedule


def test_the_papers_base_model_peaks_at_seven_ten_thousandths():
    step = torch.tensor([1, 1000, 4000, 16_000])
    rate = solve("warmup_schedule", step, 512, 4000)
    peak = (512 * 4000) ** -0.5
    assert peak == pytest.approx(0.0007, abs=2e-6)
    assert rate.tolist() == pytest.approx([peak / 4000, peak / 4, peak, peak / 2], rel=1e-6)


def test_the_papers_rate_is_its_peak_times_the_packages_schedule():
    step, factor = torch.arange(1, 30), inverse_root_schedule(warmup=7)
    want = [(11 * 7) ** -0.5 * factor(n) for n in step.tolist()]
    assert solve("warmup_schedule", step, 11, 7).tolist() == pytest.approx(want)


# -- answers as readers write them -----------------------------------------------------------------


def schedule_by_where(step, embed_dim, warmup):
    rate = torch.where(step < warmup, step / warmup / math.sqrt(warmup), step.rsqrt())
    return rate / math.sqrt(embed_dim)


def schedule_by_the_package(step, embed_dim, warmup):
    factor, peak = inverse_root_schedule(warmup), (embed_dim * warmup) ** -0.5
    return torch.tensor([peak * factor(n) for n in step.tolist()])


def schedule_max(step, embed_dim, warmup):
    return torch.max(step.rsqrt(), step / warmup**1.5) / embed_dim**0.5


def schedule_by_min(step, embed_dim, warmup):
    return embed_dim**-0.5 * min(step**-0.5, step * warmup**-1.5)


def schedule_from_zero(step, embed_dim, warmup):
    return schedule_by_where(step - 1, embed_dim, warmup)


def schedule_half_power(step, embed_dim, warmup):
    return embed_dim**-0.5 * torch.min(step**-0.5, step * warmup**-0.5)


def schedule_root_of_width(step, embed_dim, warmup):
    return math.sqrt(embed_dim) * torch.minimum(step**-0.5, step * warmup**-1.5)


def schedule_without_width(step, embed_dim, warmup):
    return torch.minimum(step**-0.5, step * warmup**-1.5)


def schedule_flat(step, embed_dim, warmup):
    return embed_dim**-0.5 * (step * warmup**-1.5).clamp(max=warmup**-0.5)


def schedule_rising(step, embed_dim, warmup):
    return embed_dim**-0.5 * step * warmup**-1.5


def schedule_falling(step, embed_dim, warmup):
    return (embed_dim * step).rsqrt()


def schedule_without_root(step, embed_dim, warmup):
    return embed_dim**-0.5 * torch.minimum(1 / step, step * warmup**-1.5)


def schedule_factor(step, embed_dim, warmup):
    return torch.tensor([inverse_root_schedule(warmup)(n) for n in step.tolist()])


test_a_right_answer_in_other_words_passes = right_answers(
    "warmup_schedule", [schedule_by_where, schedule_by_the_package]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "warmup_schedule",
    [
        (schedule_max, "the larger of the two"),
        (schedule_by_min, "Python's min() cannot compare many steps"),
        (schedule_from_zero, "you count from 0"),
        (schedule_half_power, "the warm-up has the wrong exponent"),
        (schedule_root_of_width, "embed_dim has the wrong exponent"),
        (schedule_without_width, "the model's width has no effect"),
        (schedule_flat, "the rate stays at its peak"),
        (schedule_rising, "the rate never falls"),
        (schedule_falling, "the rate never rises"),
        (schedule_without_root, "the rate falls as 1 / step"),
        (schedule_factor, "your rate reaches 1"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "warmup_schedule", [lambda step, d, w: 0.5 * schedule_by_where(step, d, w)]
)
