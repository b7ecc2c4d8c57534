"""Find the bug (chapter 13): what is written and what is copied, mixed too late."""

from __future__ import annotations

import torch

from attncourse.exercises.ch13 import _broken
from attncourse.exercises.judging import BFLOAT16, FLOAT64, STRIDED, Case, Exercise, Input
from attncourse.exercises.judging import Misconception as Mistake


def mixed_log_probabilities(written, copied, gate):
    return ((1 - gate) * written + gate * copied).log()


def _shares(shape, case, generator):
    """Draw quarters, 0 among them: a word that one of the two does not have."""
    return torch.randint(0, 4, shape, generator=generator) / 4 + _everywhere(shape)


def _everywhere(shape):
    """Nothing is 0 for both: the first half of the words is always there."""
    return (torch.arange(shape[-1]) < shape[-1] // 2).float() / 4


def _written(shape, case, generator):
    return _shares(shape, case, generator)


def _copied(shape, case, generator):
    return _shares(shape, case, generator).flip(-1) + 0.25 * (torch.arange(shape[-1]) % 2)


def _gate(shape, case, generator):
    """Draw one of 1/4, 1/2 and 3/4."""
    return torch.randint(1, 4, (*shape, 1), generator=generator) / 4


def _other_way(written, copied, gate):
    return mixed_log_probabilities(copied, written, gate)


def _summed(written, copied, gate):
    return (written + copied).log()


def _half_gated(written, copied, gate):
    return (written + gate * copied).log()


def _softmaxed(written, copied, gate):
    return ((1 - gate) * written + gate * copied).log_softmax(-1)


def _no_log(written, copied, gate):
    return (1 - gate) * written + gate * copied


def _of_each(written, copied, gate):
    return ((1 - gate) * written).log() + (gate * copied).log()


EXERCISE = Exercise(
    name="repair_mixture",
    chapter="13",
    signature="mixed_log_probabilities(written, copied, gate) -> (batch, target, words)",
    inputs=(
        Input("written", "batch target words", draw=_written),
        Input("copied", "batch target words", draw=_copied),
        Input("gate", "batch target", draw=_gate),
    ),
    sizes={"batch": 2, "target": 3, "words": 7},
    cases=(
        Case(label="words that only one of the two has"),
        Case(
            label="a name that cannot be written",
            sizes={"batch": 1, "target": 1, "words": 2},
            given={
                "written": torch.tensor([[[1.0, 0.0]]]),
                "copied": torch.tensor([[[0.0, 1.0]]]),
                "gate": torch.tensor([[[0.5]]]),
            },
            hint="Half of all such heads copy the name, so its probability is 1/2.",
        ),
        Case(label="one article", sizes={"batch": 1}),
        Case(label="one word of a summary", sizes={"target": 1}),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Mistake(
            "the logarithms are mixed, so a word must be likely in both: one that cannot be "
            "written cannot come at all, however sure the copy is. Mix the probabilities, then "
            "take the logarithm",
            (_broken.mixed_log_probabilities,),
        ),
        Mistake(
            "the gate is the other way round: it is the share that is copied",
            (_other_way,),
        ),
        Mistake(
            "the gate is not used, or for one of the two only: the probabilities sum to more than "
            "one",
            (_summed, _half_gated),
        ),
        Mistake(
            "you take a softmax of probabilities: words of probability 0 become likely",
            (_softmaxed,),
        ),
        Mistake("the logarithm is missing", (_no_log,)),
        Mistake(
            "you add the two logarithms, which multiplies the probabilities. Add the probabilities",
            (_of_each,),
        ),
    ),
    hint="Let a word have probability 0 in one of the two. What is its logarithm, and what can be "
    "added to that?",
    solution=mixed_log_probabilities,
    broken=_broken.mixed_log_probabilities,
)
