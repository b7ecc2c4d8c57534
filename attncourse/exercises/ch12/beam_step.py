"""An exercise of chapter 12: a step of beam search."""

from __future__ import annotations

import torch

from attncourse.exercises.ch12._beam_steps import (
    added,
    beam_by_beam,
    beam_by_beam_flat,
    each_its_best,
    in_another_order,
    of_the_parent,
    of_the_step,
    only_the_best,
    really,
    smallest,
    step,
    the_best_first,
    without_totals,
)
from attncourse.exercises.judging import FLOAT64, STRIDED, Case, Input, Misconception, Several


@torch.no_grad()
def beam_step(log_probabilities, totals, beam_size):
    scores = totals[:, None] + log_probabilities  # (beam, vocabulary)
    best, index = scores.flatten().topk(beam_size)
    vocabulary = scores.shape[1]
    return best, index // vocabulary, index % vocabulary


# No two continuations are equally likely, so there is one right order. There is no case in
# bfloat16: its rounding would make some of them equal.


def _log_probabilities(shape, case, generator):
    beam, vocabulary = shape
    if case.mask == "whole":
        rows = torch.randperm(beam * vocabulary, generator=generator).reshape(shape)
        return -1 - beam * rows - torch.arange(beam)[:, None]
    logits = torch.randperm(beam * vocabulary, generator=generator).double() / 4
    return logits.reshape(shape).log_softmax(-1).to(torch.float32)


def _totals(shape, case, generator):
    (beam,) = shape
    totals = -1 - torch.randperm(2 * beam, generator=generator)[:beam]
    if case.mask == "whole":
        return beam * totals
    if case.mask == "close":  # so that a worse hypothesis may have the best continuation
        return totals / 21 - torch.arange(beam) / 130
    totals = totals / 2 - torch.arange(beam) / 20
    if case.mask == "long":
        totals = totals - 500
    if case.mask == "ended" and beam > 1:
        totals[0] = -torch.inf
    return totals


def _beam_size(shape, case, generator):
    """Draw how many continuations are kept: at most as many as there are."""
    wanted, beam, vocabulary = shape
    if case.mask == "ended" and beam > 1:
        beam -= 1
    return min(wanted, beam * vocabulary)


EXERCISE = Several(
    name="beam_step",
    chapter="12",
    signature="beam_step(log_probabilities, totals, beam_size) "
    "-> totals, parents, tokens: each (beam_size,), the best first",
    parts=("totals", "parents", "tokens"),
    inputs=(
        Input("log_probabilities", "beam vocabulary", draw=_log_probabilities),
        Input("totals", "beam", draw=_totals),
        Input("beam_size", "size beam vocabulary", draw=_beam_size),
    ),
    sizes={"beam": 3, "vocabulary": 7, "size": 5},
    cases=(
        Case(label="three hypotheses", sizes={"size": 3}),
        Case(
            label="the first step, with one hypothesis",
            sizes={"beam": 1, "size": 3},
            hint="So many are kept as beam_size says, however many came in.",
        ),
        Case(label="a beam of one, which is greedy search", sizes={"beam": 1, "size": 1}),
        Case(label="more to keep than came in"),
        Case(label="fewer to keep than came in", mask="close", sizes={"beam": 5, "size": 2}),
        Case(label="more to keep than the vocabulary has", sizes={"vocabulary": 3, "size": 7}),
        Case(
            label="as many hypotheses as tokens in the vocabulary",
            sizes={"beam": 5, "vocabulary": 5},
        ),
        Case(
            label="a hypothesis that has ended, with a total of minus infinity",
            mask="ended",
            sizes={"beam": 3, "size": 3},
        ),
        Case(
            label="totals of long sentences",
            mask="long",
            hint="The probability of a long sentence is rounded to 0. Stay with the logarithms.",
        ),
        STRIDED,
        FLOAT64,
        Case(
            label="whole numbers",
            mask="whole",
            hint="Keep the dtype that comes in.",
            bonus=True,
        ),
    ),
    misconceptions=(
        Misconception(
            "the totals are not added, so a likely token behind an unlikely beginning wins. What "
            "counts is the whole: the beginning's total plus the next token's log-probability",
            (
                step(without_totals),
                step(without_totals, give=really),
            ),
        ),
        Misconception(
            "the totals lie along the vocabulary: each token gets one, where each hypothesis "
            "should. It is totals[:, None]",
            (
                step(lambda totals, log_probabilities: totals + log_probabilities),
                step(lambda totals, log_probabilities: log_probabilities + totals),
            ),
        ),
        Misconception(
            "the best are chosen in each hypothesis for itself, so every one of them survives. All "
            "continuations compete: flatten first, then topk",
            (
                beam_by_beam,
                beam_by_beam_flat,
                each_its_best(False),
                each_its_best(True),
            ),
        ),
        Misconception(
            "only the best hypothesis is continued: greedy search with several last tokens",
            (only_the_best,),
        ),
        Misconception(
            "hypotheses are dropped before they are continued. The best continuation may be that "
            "of one which was not among the best: choose once, at the end",
            (the_best_first,),
        ),
        Misconception(
            "parents and tokens are exchanged: index // vocabulary is the row, the parent, and "
            "index % vocabulary the column, the token",
            (
                step(
                    split=lambda index, beam, vocabulary: (index % vocabulary, index // vocabulary)
                ),
            ),
        ),
        Misconception(
            "the index is divided by the number of hypotheses. A row is as long as the vocabulary: "
            "index // vocabulary and index % vocabulary",
            (
                step(split=lambda index, beam, vocabulary: (index // beam, index % beam)),
                step(split=lambda index, beam, vocabulary: (index % beam, index // beam)),
            ),
        ),
        Misconception(
            "an index into the flattened scores is passed off as a token, or as a parent",
            (
                step(split=lambda index, beam, vocabulary: (index // vocabulary, index)),
                step(split=lambda index, beam, vocabulary: (index, index % vocabulary)),
            ),
        ),
        Misconception(
            "the totals that you return are those of one step, or of the parents: the right "
            "continuations, without the log-probability of their whole",
            (step(give=of_the_step), step(give=of_the_parent)),
        ),
        Misconception(
            "logarithms are multiplied. Probabilities of one token after another multiply, so "
            "their logarithms add",
            (step(lambda totals, log_probabilities: totals[:, None] * log_probabilities),),
        ),
        Misconception(
            "probabilities and logarithms are mixed: the totals are logarithms, and so is what is "
            "added to them",
            (
                step(lambda totals, log_probabilities: totals[:, None] + log_probabilities.exp()),
                step(lambda totals, log_probabilities: totals[:, None] * log_probabilities.exp()),
                step(lambda totals, log_probabilities: totals[:, None].exp() + log_probabilities),
                step(lambda totals, log_probabilities: totals[:, None].exp() * log_probabilities),
            ),
        ),
        Misconception(
            "you leave the logarithms: the probability of a long sentence is rounded to 0, and "
            "then all are alike. Add logarithms, and give logarithms back",
            (
                step(lambda totals, log_probabilities: added(totals, log_probabilities).exp()),
                step(
                    lambda totals, log_probabilities: (
                        totals.exp()[:, None] * log_probabilities.exp()
                    )
                ),
                step(
                    lambda totals, log_probabilities: (
                        totals.exp()[:, None] * log_probabilities.exp()
                    ).log()
                ),
            ),
        ),
        Misconception(
            "the worst are kept: a larger log-probability is likelier, and topk takes the largest",
            (
                step(choose=smallest),
                step(lambda *given: -added(*given), give=really),
                step(lambda *given: -added(*given)),
            ),
        ),
        Misconception(
            "the right continuations come in another order; the best comes first, as topk has it",
            (
                in_another_order(lambda best, index: best.argsort()),
                in_another_order(lambda best, index: index.argsort()),
            ),
        ),
    ),
    hint="Add first: (beam, 1) and (beam, vocabulary). Flatten, take the best, and find the row "
    "and the column of each again: how long is a row?",
    solution=beam_step,
)
