"""How the learning rate goes up and down in the course of a training (from chapter 04)."""

from __future__ import annotations

from collections.abc import Callable

from attncourse.runtime import require_integer


def linear_schedule(steps: int, warmup: int = 0) -> Callable[[int], float]:
    r"""Raise the learning rate in a straight line, then bring it down to nothing (chapter 04).

    Args:
        steps: how many steps the training has.
        warmup: how many of them the rise takes; the last of these has the full rate.

    Returns:
        A function that gives for a step (1, 2, ...) the factor on the learning rate:
        step / warmup at first, then (steps + 1 - step) / (steps + 1 - warmup), which would reach
        0 one step after the last.

    Raises:
        TypeError: if a number is not an integer.
        ValueError: if there is no step, or `warmup` is negative or more than `steps`.

    Example:
        >>> schedule = linear_schedule(steps=7, warmup=4)
        >>> [schedule(step) for step in range(1, 8)]
        [0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25]
    """
    require_integer("steps", steps, least=1)
    require_integer("warmup", warmup, least=0)
    if warmup > steps:
        raise ValueError(f"warmup must be at most steps, {steps}, got {warmup}")

    def factor(step: int) -> float:
        if step <= warmup:
            return step / warmup
        return (steps + 1 - step) / (steps + 1 - max(warmup, 1))

    return factor
