"""How far a training has come: a bar on a terminal, plain lines elsewhere (from chapter 04)."""

from __future__ import annotations

import math
import sys

from attncourse.training.history import History


class Silent:
    """Show nothing."""

    def step(self, epoch_ends: bool) -> None:
        """Take note of a step that was made."""

    def say(self, text: str) -> None:
        """Show a line."""

    def close(self) -> None:
        """Leave the screen in order."""


class Lines(Silent):
    """About ten lines in a training, or one an epoch where its steps are not known."""

    def __init__(self, history: History, total: int | None, unit: str = "tokens"):
        self.history = history
        self.total = total
        self.unit = unit
        self.shown = len(history.step)

    def step(self, epoch_ends: bool) -> None:
        step = self.history.step[-1]
        if self.total is None:
            due, place = epoch_ends, f"{step:,}"
        else:
            due = step % math.ceil(self.total / 10) == 0 or step == self.total
            place = f"{step:,} of {self.total:,}"
        if due:
            speed = f"{self._speed():,.0f} {self.unit}/s"
            self.say(f"step {place}: loss {self._recent_loss():.3f}, {speed}")
            self.shown = len(self.history.step)

    def say(self, text: str) -> None:
        print(text, flush=True)  # also when the output is a file that someone watches

    def _recent_loss(self) -> float:
        """The mean loss since the last line, each token counting the same."""
        losses, tokens = self.history.loss[self.shown :], self.history.tokens[self.shown :]
        total = sum(loss * count for loss, count in zip(losses, tokens, strict=True))
        return total / sum(tokens)

    def _speed(self) -> float:
        seconds = self.history.seconds
        begin = seconds[self.shown - 1] if self.shown else 0.0
        return sum(self.history.tokens[self.shown :]) / max(seconds[-1] - begin, 1e-9)


class Bar(Silent):
    """A bar that moves, drawn by tqdm on stderr."""

    def __init__(self, history: History, total: int | None):
        from tqdm import tqdm

        self.history = history
        self.bar = tqdm(total=total, initial=len(history.step), unit="step", dynamic_ncols=True)

    def step(self, epoch_ends: bool) -> None:
        self.bar.set_postfix(loss=f"{self.history.loss[-1]:.3f}", refresh=False)
        self.bar.update()

    def say(self, text: str) -> None:
        self.bar.write(text)

    def close(self) -> None:
        self.bar.close()


def reporter(
    progress: bool | None, history: History, total: int | None, unit: str = "tokens"
) -> Silent:
    """Choose how progress is shown.

    Args:
        progress: False for not at all, True for a bar, None for a bar on a terminal.
        history: the record that grows while the training runs.
        total: how many steps there will be, if that is known.
        unit: what `history.tokens` counts.
    """
    if progress is False:
        return Silent()
    # A notebook's stderr is no terminal: a bar that is not asked for leaves a red box in the page.
    if sys.stderr is not None and (progress or sys.stderr.isatty()):
        try:
            return Bar(history, total)
        except ImportError:  # lines will do
            pass
    return Lines(history, total, unit)
