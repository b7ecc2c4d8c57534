"""A word that asks: scores, weights, and the mean of the values, in two planes (chapter 06)."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from attncourse.attention import attend, attention_weights
from attncourse.figures.live import LiveFigure
from attncourse.figures.live_svg import Scale, discs, label, svg, tag
from attncourse.figures.looks import BLUE, GREEN, ORANGE, RED

# Two planes: queries and keys from -3 to 3, and values from 0 to 2.
ACROSS, UP = Scale(-3, 3, start=4, end=166), Scale(-3, 3, start=186, end=24)
RIGHT, HIGH = Scale(0, 2, start=196, end=296), Scale(0, 2, start=166, end=58)
DISC, FULL = 24, 90  # the radius and the length of a bar that stand for the whole weight
ALT = (
    "Left, a plane with three keys as dots and the query of the word it as an arrow, which points "
    "to the key of dog. Right, the three values; the disc of weight on dog is large, and z lies "
    "beside it. Below, scores and weights in numbers: dog 0.87, it 0.03, hungry 0.10."
)


def asking_word(
    words: Sequence[str],
    query: Float[Tensor, "word 2"],
    key: Float[Tensor, "word 2"],
    value: Float[Tensor, "word 2"],
    *,
    asking: int,
) -> LiveFigure:
    """Show what a word gets that asks, and what any other query would (chapter 06).

    Scores, weights and mean are those of `attend`.

    Args:
        words: the words.
        query: each from -3 to 3.
        key: each from -3 to 3.
        value: each from 0 to 2.
        asking: the place of the word that asks at the start.

    Returns:
        A figure with a button for each word, and two sliders for the numbers of the query.

    Raises:
        ValueError: if vectors have more than two numbers, or there is no such word.

    Example:
        >>> import torch
        >>> asking_word(["dogs", "sleep"], *torch.ones(3, 2, 2), asking=0).name
        'word'
    """
    for name, vectors in (("query", query), ("key", key), ("value", value)):
        if vectors.shape[-1] != 2:
            raise ValueError(f"{name} must have two numbers a word, got {vectors.shape[-1]}")
    if not 0 <= asking < len(words):
        raise ValueError(f"asking must be from 0 to {len(words) - 1}, got {asking}")
    asks = query[asking, None]
    scores = (asks @ key.mT / 2**0.5)[0].tolist()
    weights = attention_weights(asks, key)[0].tolist()
    mean = attend(asks, key, value)[0].tolist()
    data = {
        "words": words,
        "query": query,
        "key": key,
        "value": value,
        "asking": asking,
        "disc": DISC,
        "full": FULL,
        "scales": [scale.numbers for scale in (ACROSS, UP, RIGHT, HIGH)],
    }
    parts = [
        *_question(words, key.tolist(), asks[0].tolist()),
        *_answer(words, value.tolist(), weights, mean),
        *_table(words, scores, weights),
    ]
    return LiveFigure("word", data, svg(360, 226 + 24 * len(words), *parts), ALT)


def _axes(across: Scale, up: Scale, title: str) -> list[str]:
    cross = f"M{across.start} {up(0):.0f}H{across.end}M{across(0):.0f} {up.start}V{up.end}"
    return [label(across.start, 12, title), tag("path", d=cross, stroke="#888")]


def _points(words: Sequence[str], vectors: list, across: Scale, up: Scale) -> list[str]:
    places = [(across(x), up(y)) for x, y in vectors]
    dots = [tag("circle", cx=x, cy=y, r=4) for x, y in places]
    names = [label(x + 6, y - 6, word) for word, (x, y) in zip(words, places, strict=True)]
    return [tag("g", *dots, color=BLUE, fill="currentColor"), *names]


def _question(words: Sequence[str], keys: list, query: list[float]) -> list[str]:
    end = ACROSS(query[0]), UP(query[1])
    arrow = [
        tag("line", at="query", x1=ACROSS(0), y1=UP(0), x2=end[0], y2=end[1], stroke_width=4),
        tag("circle", at="tip", cx=end[0], cy=end[1], r=7),
    ]
    return [
        *_axes(ACROSS, UP, "query and keys"),
        tag("g", *arrow, color=GREEN, fill="currentColor", stroke="currentColor"),
        *_points(words, keys, ACROSS, UP),
        tag("path", at="plane", d="M4 24h162v162H4z", opacity=0),
    ]


def _answer(words: Sequence[str], values: list, weights: list, mean: list[float]) -> list[str]:
    around = [(RIGHT(x), HIGH(y), DISC * w**0.5) for (x, y), w in zip(values, weights, strict=True)]
    x, y = RIGHT(mean[0]), HIGH(mean[1])
    return [
        *_axes(RIGHT, HIGH, "values and their mean"),
        tag("path", at="discs", d=discs(around), fill=ORANGE, fill_opacity=0.6),
        *_points(words, values, RIGHT, HIGH),
        tag("circle", at="z", cx=x, cy=y, r=7, color=RED, fill="currentColor"),
        label(x - 18, y + 20, "z", at="name"),
    ]


def _table(words: Sequence[str], scores: list[float], weights: list[float]) -> list[str]:
    drawn = [
        label(140, 210, "score", text_anchor="end"),
        label(240, 210, "weight", text_anchor="end"),
    ]
    for row, (word, score, weight) in enumerate(zip(words, scores, weights, strict=True)):
        y = 234 + 24 * row
        drawn += [
            label(4, y, word),
            label(140, y, f"{score:.2f}".replace("-", "−"), at=f"score{row}", text_anchor="end"),
            label(240, y, f"{weight:.2f}", at=f"weight{row}", text_anchor="end"),
            tag(
                "rect", at=f"bar{row}", x=252, y=y - 11, width=FULL * weight, height=13, fill=ORANGE
            ),
        ]
    return drawn
