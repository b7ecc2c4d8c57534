"""An exercise of chapter 04: what a decoder reads in training, and what it is asked."""

from __future__ import annotations

import torch

from attncourse.exercises.judging import STRIDED, Case, Input, Misconception, Several

PAD, BOS, EOS = 0, 1, 2


def teacher_forcing(target):
    decoder_input, labels = target[:, :-1], target[:, 1:]
    return decoder_input, labels, labels != 0


def _targets(shape, case, generator):
    """Draw sentences between their marks, the first filling its row, the others as it comes."""
    batch, words = shape
    length = words + 2
    target = torch.randint(3, 9, (batch, length), generator=generator)
    target[:, 0] = BOS
    last = torch.randint(1, length, (batch,), generator=generator)
    last[0] = length - 1
    place = torch.arange(length)
    target = target.masked_fill(place == last[:, None], EOS)
    return target.masked_fill(place > last[:, None], PAD)


def _forcing(read=slice(None, -1), answer=slice(1, None), real=lambda labels: labels != PAD):
    """Teacher forcing with other columns, or another idea of what is real."""

    def function(target):
        labels = target[:, answer]
        return target[:, read], labels, real(labels)

    return function


def _from_input(read, answer):
    return lambda target: (target[:, read], target[:, answer], target[:, read] != PAD)


def _end_not_read(target):
    read, labels, mask = teacher_forcing(target)
    return read.masked_fill(read == EOS, PAD), labels, mask


def _end_wiped(target):
    read, labels, _ = teacher_forcing(target)
    labels = labels.masked_fill(labels == EOS, PAD)
    return read, labels, labels != PAD


def _ignored(fill):
    def function(target):
        read, labels, mask = teacher_forcing(target)
        return read, labels.masked_fill(~mask, fill), mask

    return function


ALL, FRONT, BACK = slice(None), slice(None, -1), slice(1, None)
REALS = (
    lambda labels: labels != PAD,
    lambda labels: torch.ones_like(labels, dtype=torch.bool),
    lambda labels: (labels != PAD) & (labels != EOS),
)

EXERCISE = Several(
    name="teacher_forcing",
    chapter="04",
    signature="teacher_forcing(target) -> decoder_input, labels, mask: each (batch, length - 1)",
    parts=("decoder_input", "labels", "mask"),
    inputs=(Input("target", "batch words", draw=_targets),),
    sizes={"batch": 3, "words": 5},
    cases=(
        Case(label="a padded batch"),
        Case(label="one sentence", sizes={"batch": 1}),
        Case(label="a sentence without words", sizes={"batch": 1, "words": 0}),
        Case(label="as many sentences as tokens", sizes={"batch": 7}),
        STRIDED,
    ),
    misconceptions=(
        Misconception(
            "nothing is shifted: the labels are what the decoder reads, so it learns to repeat "
            "its input and nothing else. Each label is the token after the one that is read",
            tuple(
                _forcing(columns, columns, real) for columns in (ALL, FRONT, BACK) for real in REALS
            ),
        ),
        Misconception(
            "you shift the wrong way: the decoder reads the next token and is asked for the one "
            "before it. It reads the target without its last column",
            (
                *(_forcing(BACK, FRONT, real) for real in REALS),
                _from_input(BACK, FRONT),
            ),
        ),
        Misconception(
            "one of the two is the whole target. The last column is never read, as nothing comes "
            "after it; the first is never asked for, as nothing stands before it",
            (
                *(_forcing(ALL, BACK, real) for real in REALS),
                *(_forcing(FRONT, ALL, real) for real in REALS),
                _from_input(ALL, BACK),
            ),
        ),
        Misconception(
            "the end mark is taken out of what the decoder reads. It does no harm there, as "
            "nothing is asked after it; the plain slice will do",
            (_end_not_read,),
        ),
        Misconception(
            "the end mark is not asked for, so the model never learns to stop. It is a label like "
            "any word",
            (
                _forcing(real=REALS[2]),
                _forcing(real=lambda labels: labels > EOS),
                _end_wiped,
            ),
        ),
        Misconception(
            "the labels hold another number at padding. The mask tells what is padding, so leave "
            "them as they are",
            (_ignored(-100), _ignored(-1)),
        ),
        Misconception(
            "padding counts as real: your mask is true everywhere",
            (_forcing(real=REALS[1]),),
        ),
        Misconception(
            "your mask is off by one: it marks the real tokens of what is read, where the labels' "
            "are wanted. Behind the end mark it asks for padding",
            (_from_input(FRONT, BACK),),
        ),
        Misconception(
            "your mask still has a column for the begin mark, which is never asked for: make it "
            "of the labels",
            (
                lambda target: (target[:, :-1], target[:, 1:], target != PAD),
                lambda target: (target[:, :-1], target[:, 1:], target > BOS),
            ),
        ),
        Misconception(
            "your mask is the other way round: True means a real token",
            (_forcing(real=lambda labels: labels == PAD),),
        ),
        Misconception(
            "your mask holds numbers; a mask is boolean, as a comparison gives it",
            (
                _forcing(real=lambda labels: (labels != PAD).long()),
                _forcing(real=lambda labels: (labels != PAD).float()),
                _forcing(real=lambda labels: (labels != PAD).int()),
            ),
        ),
    ),
    hint="Write one target out, <bos> le chien dort <eos>, and below it what each token should "
    "be followed by. Both rows are the target without one column: which?",
    solution=teacher_forcing,
)
