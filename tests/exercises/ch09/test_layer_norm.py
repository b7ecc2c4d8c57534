"""`layer_norm` (chapter 09)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from answers import right_answers, unknown_answers, wrong_answers

from attncourse.exercises import check


def test_a_variance_from_the_mean_of_the_squares_passes_with_a_warning():
    def by_squares(x, gain, bias, eps):
        mean = x.mean(-1, keepdim=True)
        variance = x.square().mean(-1, keepdim=True) - mean.square()
        return (x - mean) / torch.sqrt(variance + eps) * gain + bias

    verdict = check("layer_norm", by_squares)
    assert verdict.passed, verdict
    assert "To know: with numbers far from zero it fails" in verdict.message


# -- answers as readers write them -----------------------------------------------------------------


def norm_by_torch(x, gain, bias, eps):
    return F.layer_norm(x, gain.shape, gain, bias, eps)


def norm_by_var(x, gain, bias, eps):
    variance, mean = torch.var_mean(x, dim=-1, unbiased=False, keepdim=True)
    return gain * (x - mean) * torch.rsqrt(variance + eps) + bias


def norm_unbiased(x, gain, bias, eps):
    return gain * (x - x.mean(-1, True)) / torch.sqrt(x.var(-1, keepdim=True) + eps) + bias


def norm_annotated(x, gain, bias, eps):
    mean, std = x.mean(-1, keepdim=True), x.std(-1, keepdim=True)
    return gain * (x - mean) / (std + eps) + bias


def norm_eps_outside(x, gain, bias, eps):
    std = x.std(-1, correction=0, keepdim=True)
    return gain * (x - x.mean(-1, keepdim=True)) / (std + eps) + bias


def norm_of_the_sentence(x, gain, bias, eps):
    centred = x - x.mean(dim=-2, keepdim=True)
    return centred * torch.rsqrt(centred.pow(2).mean(dim=-2, keepdim=True) + eps) * gain + bias


def norm_of_words_and_features(x, gain, bias, eps):
    return F.layer_norm(x, x.shape[-2:], eps=eps) * gain + bias


def norm_root_mean_square(x, gain, bias, eps):
    return F.rms_norm(x, gain.shape, gain, eps) + bias


def norm_without_gain(x, gain, bias, eps):
    return F.layer_norm(x, gain.shape, None, bias, eps)


def norm_with_its_own_eps(x, gain, bias, eps):
    return F.layer_norm(x, gain.shape, gain, bias)


test_a_right_answer_in_other_words_passes = right_answers(
    "layer_norm", [norm_by_torch, norm_by_var]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "layer_norm",
    [
        (norm_unbiased, "your variance divides by width - 1"),
        (norm_annotated, "divides by width - 1, and eps is added to it"),
        (norm_eps_outside, "eps is added outside the root"),
        (norm_of_the_sentence, "you normalise over the words"),
        (norm_of_words_and_features, "over words and features together"),
        (norm_root_mean_square, "the mean is not subtracted"),
        (norm_without_gain, "the gain has no effect"),
        (norm_with_its_own_eps, "an eps of your own"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "layer_norm", [lambda x, g, b, eps: norm_by_torch(x, g, b, eps).clamp(max=1.0)]
)
