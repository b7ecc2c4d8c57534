"""What happened in a training, step by step (from chapter 04)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields


@dataclass
class History:
    """The record of a training: lists with one entry a step, or one a validation (chapter 04).

    Attributes:
        step: 1, 2, 3, ...
        loss: of each step's batch before its update, in nats per real token, with the label
            smoothing that was asked for.
        learning_rate: with which the step was made.
        gradient_norm: over the optimiser's weights, before clipping; None where it overflowed in
            float16 and the update was left out.
        tokens: how many real target tokens the batch had; with a loss of one's own, its rows.
        seconds: since the training began; what lies between an end and a resumption is left out.
        validation_step: after which steps there was a validation.
        validation_loss: what it gave, in nats per real token, without label smoothing.

    Example:
        >>> history = History(validation_step=[10, 20, 30], validation_loss=[2.5, 1.5, 1.75])
        >>> history.best_step, history.since_best
        (20, 1)
        >>> History.from_json(history.to_json()) == history
        True
    """

    step: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    gradient_norm: list[float | None] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    validation_step: list[int] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)

    @property
    def best_step(self) -> int | None:
        """The step with the lowest validation loss, the first of equals; None without any."""
        if not self.validation_loss:
            return None
        return self.validation_step[self.validation_loss.index(min(self.validation_loss))]

    @property
    def since_best(self) -> int:
        """How many validations there were after the best one."""
        if not self.validation_loss:
            return 0
        best = self.validation_loss.index(min(self.validation_loss))
        return len(self.validation_loss) - 1 - best

    def to_json(self) -> str:
        """Return the record as JSON. Floats come back exactly."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> History:
        """Read what `to_json` wrote.

        Raises:
            ValueError: if the text is not the record of a training; the message says why.
        """
        try:
            lists = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"text must be JSON, got something else: {error}") from error
        names = [each.name for each in fields(cls)]
        if not isinstance(lists, dict) or set(lists) != set(names):
            held = ", ".join(lists) if isinstance(lists, dict) else type(lists).__name__
            raise ValueError(f"text must hold {', '.join(names)}, got {held}")
        for group in (names[:6], names[6:]):
            lengths = {name: len(lists[name]) for name in group if isinstance(lists[name], list)}
            if len(lengths) < len(group) or len(set(lengths.values())) > 1:
                raise ValueError(f"{', '.join(group)} must be lists of one length, got {lengths}")
        return cls(**lists)
