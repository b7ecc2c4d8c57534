"""How the learning rate goes up and down in the course of a training (from chapter 04)."""

from __future__ import annotations

from collections.abc import Callable

from attncourse.checks import require_integer


def linear_schedule(steps: int, warmup: int = 0) -> Callable[[int], float]:
    r"""Raise the learning rate in a straight line, then bring it down to nothing (chapter 04).

    Args:
        steps: how many steps the training has.
        warmup: how many of them the rise takes; the last of these has the full rate.

    Returns:
        A function that gives for a step (1, 2, ...) the factor on the learning rate:
        step / warmup at first, then (steps + 1 - step) / (steps + 1 - warmup), which would reach
        0 one step after the last. Without a warm-up the first step has the full rate, as with 1.

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

    peak = max(warmup, 1)  # the step with the full rate
    zero = steps + 1  # the first without any, after the last one that is made

    def factor(step: int) -> float:
        if step <= warmup:
            return step / warmup
        return max(zero - step, 0) / (zero - peak)

    return factor


def inverse_root_schedule(warmup: int) -> Callable[[int], float]:
    r"""Raise the learning rate in a straight line, then lower it as 1 / √step (chapter 11).

    $$\min\left(\frac{t}{w}, \sqrt{\frac{w}{t}}\right)$$

    with $t$ the step and $w$ the warm-up. It never reaches 0, and does not ask how long the
    training will be.

    Args:
        warmup: w, how many steps the rise takes; the last of these has the full rate.

    Returns:
        A function that gives for a step (1, 2, ...) the factor on the learning rate.

    Raises:
        TypeError: if `warmup` is not an integer.
        ValueError: if it is not positive.

    Source: Vaswani et al. 2017, section 5.3, equation 3, whose rate is this times
    (d_model · warmup_steps)^-0.5: 0.0007 for the base model's 512 and 4,000.

    Example:
        >>> schedule = inverse_root_schedule(warmup=4)
        >>> [schedule(step) for step in (1, 2, 4, 16, 64)]
        [0.25, 0.5, 1.0, 0.5, 0.25]
    """
    require_integer("warmup", warmup, least=1)
    return lambda step: min(step / warmup, (warmup / step) ** 0.5)
