"""Every figure that answers, as a chapter makes it: for its own tests and those in the browser."""

from __future__ import annotations

import math

import torch
from torch import Tensor

import attncourse as ac
from attncourse.data.desk import Desk, draw_desk
from attncourse.figures.live import LiveFigure
from attncourse.figures.live_beam import growing_beam
from attncourse.figures.live_clocks import turning_hands
from attncourse.figures.live_desk import turned_query
from attncourse.figures.live_root import divided_scores
from attncourse.figures.live_width import moving_width
from attncourse.figures.live_word import asking_word


def desk() -> Desk:
    """The desk of chapter 01, which is the second of its seed."""
    generator = ac.seed_everything(7)
    draw_desk(generator)
    return draw_desk(generator)


def harbour() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The messages of chapter 02, the lost hours, and the true levels at these."""
    generator = torch.Generator().manual_seed(11)
    hour = torch.randperm(192, generator=generator).double() / 8
    key, query = hour[:64].sort().values[:, None], hour[64:].sort().values[:, None]
    waves = 0.25 * torch.randn(64, generator=generator, dtype=torch.float64)
    key_level, level = (1.5 * torch.sin(2 * math.pi * x / 12.4) for x in (key, query))
    return key, key_level + waves[:, None], query, level


MESSAGES = {  # of the phone in chapter 12
    "see": (0.5, {"you": (0.4, {}), "it": (0.36, {}), "what": (0.24, {})}),
    "good": (0.4, {"night": (0.9, {}), "luck": (0.1, {})}),
    "the": (0.1, {"end": (0.6, {}), "dog": (0.4, {})}),
}


def cards() -> tuple[Tensor, Tensor]:
    """A random question of chapter 03, and 32 random cards."""
    draws = torch.Generator().manual_seed(12)
    question = torch.randn(1, 1024, generator=draws, dtype=torch.float64)
    return question, torch.randn(32, 1024, generator=draws, dtype=torch.float64)


def by_hand() -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of the three words of chapter 06."""
    words = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    to_query = torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    to_key = torch.tensor([[1.0, 0.0], [1.0, -1.0]])
    to_value = torch.tensor([[1.0, 1.0], [0.0, 2.0]])
    return words @ to_query.mT, words @ to_key.mT, words @ to_value.mT


FIGURES = {
    "clocks": turning_hands,
    "desk": lambda: turned_query(desk()),
    "root": lambda: divided_scores(*cards()),
    "width": lambda: moving_width(*harbour()),
    "beam": lambda: growing_beam(MESSAGES),
    "word": lambda: asking_word(["dog", "it", "hungry"], *by_hand(), asking=1),
}


def made(name: str) -> LiveFigure:
    return FIGURES[name]()
