"""An exercise of chapter 07: heads put together again."""

from __future__ import annotations

from attncourse.exercises.ch07.split_heads import ALIKE, SIZES
from attncourse.exercises.judging import (
    BFLOAT16,
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
)


def merge_heads(x):
    return x.transpose(1, 2).flatten(2)


def _joined_in_memory(x):
    batch, heads, length, head_dim = x.shape
    return x.reshape(batch, length, heads * head_dim)


def _viewed(x):
    batch, heads, length, head_dim = x.shape
    return x.transpose(1, 2).view(batch, length, heads * head_dim)


EXERCISE = Exercise(
    name="merge_heads",
    chapter="07",
    signature="merge_heads(x) -> (batch, length, embed)",
    inputs=(Input("x", "batch heads length head_dim"),),
    sizes=SIZES,
    cases=(
        Case(label="three heads"),
        Case(label="one sentence", sizes={"batch": 1}),
        Case(label="one head", sizes={"heads": 1}),
        Case(label="heads of a single feature", sizes={"head_dim": 1}),
        *ALIKE,
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "the heads are joined as they come in memory, so the features of one word are another "
            "word's. Bring the words before the heads with transpose, then join",
            (_joined_in_memory,),
        ),
        Misconception(
            "view() cannot join axes that transpose has exchanged: in memory they are still as "
            "before. reshape and flatten copy where they must",
            (_viewed,),
        ),
        Misconception(
            "the heads take turns among the features; they stand side by side, (heads, head_dim) "
            "in this order",
            (lambda x: x.permute(0, 2, 3, 1).flatten(2),),
        ),
        Misconception(
            "you join the words: (batch, heads * length, head_dim). Join the features of a word",
            (lambda x: x.flatten(1, 2), lambda x: x.transpose(1, 2).flatten(1, 2)),
        ),
        Misconception(
            "the heads are averaged or summed, so what one of them found is lost among the others. "
            "They are put side by side",
            (lambda x: x.mean(1), lambda x: x.sum(1)),
        ),
        Misconception(
            "the heads are not joined yet: the answer still has four axes",
            (lambda x: x.transpose(1, 2), lambda x: x),
        ),
        Misconception(
            "heads and features stand before the words: (batch, embed, length)",
            (lambda x: x.mT.flatten(1, 2), lambda x: x.transpose(1, 2).flatten(2).mT),
        ),
    ),
    hint="The way back through the same two steps, the last one first. What must stand side by "
    "side before two axes can become one?",
    solution=merge_heads,
)
