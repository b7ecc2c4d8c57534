"""An exercise of chapter 19: attention from what is known of each block of keys."""

from __future__ import annotations

import torch

from attncourse.exercises.judging import (
    BFLOAT16,
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
)


def merge_blocks(largest, total, output):
    shrink = (largest - largest.amax(0)).exp()  # (block, query)
    weighted = (shrink[..., None] * output).sum(0)  # (query, width)
    return weighted / (shrink * total).sum(0)[..., None]


def _totals(shape, case, generator):
    """Draw sums of exponentials: at least one of them is e to the power of 0."""
    return torch.randint(2, 9, shape, generator=generator) / 2


def _merged(outputs, totals, base=lambda largest: largest.amax(0)):
    """Merging with other factors, given the block's largest score less the base."""

    def function(largest, total, output):
        less = largest - base(largest)
        weighted = (outputs(less)[..., None] * output).sum(0)
        return weighted / (totals(less) * total).sum(0)[..., None]

    return function


def _mean_of_blocks(largest, total, output):
    return (output / total[..., None]).mean(0)


def _blocks_by_their_largest(largest, total, output):
    return (largest.softmax(0)[..., None] * output / total[..., None]).sum(0)


def _not_divided(largest, total, output):
    shrink = (largest - largest.amax(0)).exp()
    return (shrink[..., None] * output).sum(0)


def _last_block(largest, total, output):
    return output[-1] / total[-1, :, None]


def _ones(less):
    return torch.ones_like(less)


EXERCISE = Exercise(
    name="merge_blocks",
    chapter="19",
    signature="merge_blocks(largest, total, output) -> (query, width)",
    inputs=(
        Input("largest", "block query"),
        Input("total", "block query", draw=_totals),
        Input("output", "block query width"),
    ),
    sizes={"block": 3, "query": 5, "width": 7},
    cases=(
        Case(label="three blocks"),
        Case(label="one block", sizes={"block": 1}),
        Case(label="one query", sizes={"query": 1}),
        Case(label="as many blocks as queries", sizes={"block": 5}),
        Case(label="as many queries as features", sizes={"query": 7}),
        Case(
            label="scores in the thousands",
            scale={"largest": 1000.0},
            hint="e to the power of 1000 is more than a float can hold. Only the differences "
            "between the blocks' largest scores matter.",
        ),
        Case(
            label="a block that was hidden whole",
            given={
                "largest": torch.tensor([[1.0], [-torch.inf]], dtype=torch.float32),
                "total": torch.tensor([[2.0], [0.0]], dtype=torch.float32),
                "output": torch.tensor([[[6.0]], [[0.0]]], dtype=torch.float32),
            },
            hint="Its sums are zero. Do not divide by them one by one.",
        ),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "the sums are added as they are, but each was taken with its own largest score "
            "subtracted. Shrink them first to one that is common",
            (_merged(_ones, _ones),),
        ),
        Misconception(
            "this is the mean of the blocks' own answers: a block of small scores counts as much "
            "as one of large scores",
            (_mean_of_blocks,),
        ),
        Misconception(
            "only one of the two sums is shrunk; both were taken with the block's largest score "
            "subtracted",
            (_merged(torch.exp, _ones), _merged(_ones, torch.exp)),
        ),
        Misconception(
            "the factor is upside down: the block with the largest score keeps its sums, and the "
            "others shrink",
            (_merged(lambda less: (-less).exp(), lambda less: (-less).exp()),),
        ),
        Misconception(
            "your exp overflows: subtract the largest score of all blocks first",
            (_merged(torch.exp, torch.exp, base=lambda largest: 0.0),),
        ),
        Misconception(
            "the largest score is taken over the queries; each query has its own, over the blocks",
            (_merged(torch.exp, torch.exp, base=lambda largest: largest.amax(1, True)),),
        ),
        Misconception(
            "the blocks are weighed by their largest score alone; how many keys come near it is "
            "told by the sum of the exponentials",
            (_blocks_by_their_largest,),
        ),
        Misconception(
            "nothing is divided at the end: the weights do not sum to one",
            (_not_divided,),
        ),
        Misconception("only the last block is used", (_last_block,)),
    ),
    hint="Which factor brings a sum of e to the power of (score - own largest) to a sum of "
    "e to the power of (score - largest of all)?",
    solution=merge_blocks,
)
