"""Every figure that answers, as a chapter makes it: for its own tests and those in the browser."""

from __future__ import annotations

import attncourse as ac
from attncourse.data.desk import Desk, draw_desk
from attncourse.figures.live import LiveFigure
from attncourse.figures.live_beam import growing_beam
from attncourse.figures.live_desk import turned_query


def desk() -> Desk:
    """The desk of chapter 01, which is the second of its seed."""
    generator = ac.seed_everything(7)
    draw_desk(generator)
    return draw_desk(generator)


MESSAGES = {  # of the phone in chapter 12
    "see": (0.5, {"you": (0.4, {}), "it": (0.36, {}), "what": (0.24, {})}),
    "good": (0.4, {"night": (0.9, {}), "luck": (0.1, {})}),
    "the": (0.1, {"end": (0.6, {}), "dog": (0.4, {})}),
}

FIGURES = {"desk": lambda: turned_query(desk()), "beam": lambda: growing_beam(MESSAGES)}


def made(name: str) -> LiveFigure:
    return FIGURES[name]()
