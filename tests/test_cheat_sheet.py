"""The cheat sheet says what the package does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import nn

import attncourse
from attncourse import (
    AdditiveScore,
    BilinearScore,
    MultiHeadAttention,
    attend,
    causal_mask,
    padding_mask,
    positions,
)

CHAPTERS = Path(__file__).parents[1] / "chapters"
PAGE = (CHAPTERS / "cheat_sheet.md").read_text(encoding="utf-8")
PARTS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))


def rows(part: str) -> list[list[str]]:
    """The cells of a table, without its head."""
    lines = [line for line in PARTS[part].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_it_has_its_parts():
    assert list(PARTS) == [
        "Attention",
        "Shapes",
        "Masks",
        "Formulas",
        "What a layer costs",
        "Five mistakes that everyone makes",
        "Ten names of the package",
    ]
    assert len(rows("Ten names of the package")) == 10


def test_its_names_are_the_packages():
    for name, _ in rows("Ten names of the package"):
        for called in re.findall(r"`(\w+)\(", name):
            home = attncourse.exercises if "exercises" in name else attncourse
            assert callable(getattr(home, called)), name


def test_its_shapes_are_those_that_attend_takes_and_gives():
    sizes = {"batch": 2, "query": 3, "key": 5, "width": 7, "value_width": 11}
    shapes = {
        names: [sizes[axis] for axis in shape.strip("()").split(", ")]
        for names, shape in rows("Shapes")
        if names != "with heads"
    }
    query, key, value = (torch.randn(shapes[name]) for name in ("query", "key", "value"))
    assert list(attend(query, key, value).shape) == shapes["output"]
    weights = attncourse.attention_weights(query, key)
    assert list(weights.shape) == shapes["scores, weights"]


def test_its_masks_enter_as_it_says():
    query, key, value = torch.randn(2, 3, 7), torch.randn(2, 5, 7), torch.randn(2, 5, 7)
    mask = padding_mask(torch.tensor([5, 2]))
    enters = {name: cell.strip("`") for name, _, cell in rows("Masks")}
    alone = attend(query[1:], key[1:, :2], value[1:, :2])
    padded = attend(query, key, value, eval(enters["padding"], {"mask": mask}))
    torch.testing.assert_close(padded[1:], alone)
    heads = eval(enters["... with heads"], {"mask": mask})
    padded = attend(query[:, None], key[:, None], value[:, None], heads)
    torch.testing.assert_close(padded[1:, 0], alone)
    options = eval(f"dict({enters['causal']})")
    by_mask = attend(query, key, value, causal_mask(3, 5))
    torch.testing.assert_close(attend(query, key, value, **options), by_mask)
    layer = MultiHeadAttention(14, num_heads=2)
    words, options = (
        torch.randn(2, 5, 14),
        eval(f"dict({enters['... in a layer']})", {"mask": mask}),
    )
    torch.testing.assert_close(layer(words, **options)[1, :2], layer(words[1:, :2])[0])


def test_true_means_the_opposite_in_pytorchs_layer():
    layer = nn.MultiheadAttention(6, 1, batch_first=True)
    x, mask = torch.randn(2, 5, 6), padding_mask(torch.tensor([5, 2]))
    padded, _ = layer(x, x, x, key_padding_mask=~mask)
    alone, _ = layer(x[1:, :2], x[1:, :2], x[1:, :2])
    torch.testing.assert_close(padded[1, :2], alone[0])


def test_its_scores_are_the_packages():
    query, key = torch.randn(1, 3), torch.randn(1, 5)
    bilinear = BilinearScore(3, 5)
    (weight,) = bilinear.parameters()
    wanted = query @ (weight if weight.shape == (3, 5) else weight.T) @ key.T
    torch.testing.assert_close(bilinear(query, key), wanted)
    additive = AdditiveScore(3, 5, 7)
    hidden = additive.query_projection(query) + additive.key_projection(key)
    torch.testing.assert_close(additive(query, key), additive.output(hidden.tanh()))


def test_its_positions_are_the_packages():
    code = positions.SinusoidalPositions(6).code(4, dtype=torch.float64)
    i, t = torch.arange(3), torch.arange(4)[:, None]
    waves = t * 10_000.0 ** (-2 * i / 6).double()
    torch.testing.assert_close(code[:, ::2], waves.sin())
    torch.testing.assert_close(code[:, 1::2], waves.cos())


def test_its_five_mistakes_are_of_the_page_of_mistakes():
    links = re.findall(
        r"^\d\. \[(.+?)\]\(#([\w-]+)\)", PARTS["Five mistakes that everyone makes"], re.M
    )
    assert len(links) == 5
    mistakes = (CHAPTERS / "common_mistakes.md").read_text(encoding="utf-8")
    for title, label in links:
        found = re.search(rf"^\({label}\)=\n#+ (.+)$", mistakes, re.M)
        assert found is not None, label
        assert found[1] == title


@pytest.mark.parametrize(
    ("layer", "by_length", "by_width"), [("self-attention", 2, 1), ("recurrence", 1, 2)]
)
def test_its_costs_grow_as_it_says(layer, by_length, by_width):
    (told,) = [cells[1] for cells in rows("What a layer costs") if cells[0] == layer]
    powers = {sign: int(power or 1) for sign, power in re.findall(r"([nd])(?:\^(\d))?", told)}
    assert powers == {"n": by_length, "d": by_width}
