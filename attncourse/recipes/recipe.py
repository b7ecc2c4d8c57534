"""What is trained on what, and how: every long training of the course, by name (from chapter 04).

The figures that come of a recipe stand in `results/`, one file a seed.
"""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

import torch
from torch import nn

from attncourse.checks import (
    require_integer,
    require_number,
    require_precision,
    require_smoothing,
)
from attncourse.recipes.models import MODELS
from attncourse.training.checkpoints import plain
from attncourse.training.schedules import inverse_root_schedule, linear_schedule
from attncourse.transformer import TransformerConfig

ADAM = [
    name for name in inspect.signature(torch.optim.Adam).parameters if name not in {"params", "lr"}
]


@dataclass(frozen=True)
class Recipe:
    """A training that anyone can repeat (from chapter 04).

    Attributes:
        corpus: "embedded", the sentences of `attncourse.data.translation`, or "multi30k".
        model: "fixed", recurrent with one vector between encoder and decoder; "attention", the
            same with Bahdanau's attention; or "transformer".
        steps: how many updates.
        sizes: what else the model is built with: see `attncourse.recipes.models`.
        source: the language that is read; the embedded corpus is from "en" to "fr".
        target: the language that is written.
        pairs: how many pairs of the embedded corpus are learned from; a real one is taken whole.
        subwords: the size of one vocabulary of byte pairs for both languages; by default each
            has its words.
        sentences: pairs in a batch.
        tokens: instead, the tokens in a batch, both languages and padding counted.
        bucket: how many pairs are sorted by length together, see `Batches`.
        accumulate: how many batches make one update.
        learning_rate: Adam's, at its highest.
        adam: Adam's other arguments, such as `betas`.
        schedule: "linear" or "inverse root", see `attncourse.training.schedules`.
        warmup: the steps in which the learning rate rises.
        label_smoothing: see `attncourse.training.sequence_loss`.
        precision: see `attncourse.training.fit`.
        validations: how often the validation loss is measured, and a checkpoint written.
        average: how many of the last weights kept are averaged in the end.
        average_every: how many steps lie between them.
    """

    corpus: str
    model: str
    steps: int
    sizes: dict[str, Any] = field(default_factory=dict)
    source: str = "en"
    target: str = "fr"
    pairs: int = 20_000
    subwords: int | None = None
    sentences: int | None = 64
    tokens: int | None = None
    bucket: int = 2048
    accumulate: int = 1
    learning_rate: float = 2e-3
    adam: dict[str, Any] = field(default_factory=dict)
    schedule: str = "linear"
    warmup: int = 200
    label_smoothing: float = 0.0
    precision: str = "float32"
    validations: int = 10
    average: int = 1
    average_every: int = 100

    def check(self) -> None:
        """Refuse what could not be trained, as far as that shows without the corpus.

        Raises:
            TypeError: if a number is none, or no integer that should be, or JSON cannot hold a
                value.
            ValueError: if there is no such model, size, schedule, precision or argument of Adam,
                a number is too small, or the training is too short for its averaging.
        """
        for name in ("steps", "pairs", "accumulate", "validations", "average", "average_every"):
            require_integer(name, getattr(self, name), least=1)
        require_precision(self.precision)
        if self.average > 1 and self.average * self.average_every > self.steps:
            raise ValueError(
                f"steps must be {self.average * self.average_every} or more, for {self.average} "
                f"weights that lie {self.average_every} steps apart, got {self.steps}"
            )
        self.to_dict()
        _require_names("adam", self.adam, ADAM)
        require_smoothing(self.label_smoothing)
        require_number("learning_rate", self.learning_rate)
        torch.optim.Adam([nn.Parameter(torch.zeros(1))], lr=self.learning_rate, **self.adam)
        self.factor()
        with torch.device("meta"):  # shapes without numbers
            self.build(97, 97)

    def build(self, source_size: int, target_size: int) -> nn.Module:
        """Build the model, untrained, for vocabularies of these sizes.

        Raises:
            ValueError: if there is no such model, or it has no such size.
        """
        if self.model not in MODELS:
            raise ValueError(f"model must be one of {', '.join(MODELS)}, got {self.model!r}")
        builder = MODELS[self.model]
        _require_names("sizes", self.sizes, _keywords(builder))
        one_for_both = self.subwords is not None
        sizes = self.to_dict()["sizes"]  # as layers want them: Python's numbers
        return builder(source_size, None if one_for_both else target_size, **sizes)

    def factor(self) -> Callable[[int], float]:
        """Give the schedule of the learning rate.

        Raises:
            ValueError: if there is no such schedule.
        """
        if self.schedule == "linear":
            return linear_schedule(self.steps, self.warmup)
        if self.schedule == "inverse root":
            return inverse_root_schedule(self.warmup)
        raise ValueError(f"schedule must be 'linear' or 'inverse root', got {self.schedule!r}")

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON gives it back: tuples as lists, NumPy's numbers as Python's.

        Raises:
            TypeError: if it holds what JSON cannot.
        """
        return json.loads(json.dumps(asdict(self), default=plain))

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Recipe:
        """Read what `to_dict` gave; a field that came later has its default.

        Raises:
            ValueError: if a field without a default is missing, or there is something else.
        """
        if not isinstance(given, dict):
            raise ValueError(f"a recipe must be a dictionary, got {type(given).__name__}")
        _require_names("a recipe", given, [each.name for each in fields(cls)])
        for each in fields(cls):
            lacks_default = each.default is MISSING and each.default_factory is MISSING
            if lacks_default and each.name not in given:
                raise ValueError(f"a recipe must hold {each.name}, got {', '.join(given)}")
        return cls(**given)


def _keywords(builder: Callable) -> list[str]:
    """The names that a builder takes beside the sizes of the vocabularies."""
    taken = inspect.signature(builder).parameters.values()
    names = [each.name for each in taken if each.kind is each.KEYWORD_ONLY]
    if any(each.kind is each.VAR_KEYWORD for each in taken):
        names += [each.name for each in fields(TransformerConfig)]
    return [name for name in names if name not in ("attention", "vocab_size", "target_vocab_size")]


def _require_names(what: str, given: dict[str, Any], known: list[str]) -> None:
    """Refuse a name that is not known, with the one that was perhaps meant."""
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            meant = f"; {near[0]} perhaps?" if near else ""
            raise ValueError(f"{what} must hold only {', '.join(known)}, got {name!r}{meant}")
