"""What an exercise is written with; in its modules, how an answer is judged (every chapter).

An answer goes through `judge`, in the time that `limits` give it. `probe` makes one call of a
function, `bench` those of an exercise's cases; `engine` takes the steps to a `verdict`, with
`compare`, `show` and `faults` as its tools; `several` judges functions that return several things.
"""

from attncourse.exercises.judging.exercise import (
    BFLOAT16,
    COUNT_FROM_THE_END,
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
    allowed,
    numbers,
    size,
)
from attncourse.exercises.judging.faults import alike, blind_to, not_averaging, reads
from attncourse.exercises.judging.several import Several

__all__ = [
    "BFLOAT16",
    "COUNT_FROM_THE_END",
    "FLOAT64",
    "STRIDED",
    "Case",
    "Exercise",
    "Input",
    "Misconception",
    "Several",
    "alike",
    "allowed",
    "blind_to",
    "not_averaging",
    "numbers",
    "reads",
    "size",
]
