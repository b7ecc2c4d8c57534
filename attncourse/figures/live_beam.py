"""A beam that grows over a tree of sentences, as wide as a reader makes it (chapter 12)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from attncourse.figures.live import LiveFigure
from attncourse.figures.live_svg import label, line, svg, tag
from attncourse.figures.looks import BLUE, RED

GREY, OWN = "#777777", "inherit"  # what no beam compared; the page's own colour
TOP, ROW, COLUMN = 46, 28, 115  # of the picture: the first row, and the way to the next
ALT = (
    "A tree that grows to the right: all messages, with the probability of each word and, in two "
    "columns, that of the whole message and its logarithm. What a beam of one keeps is blue and "
    "bold; the numbers of the likeliest message of all are red."
)


class _Node(NamedTuple):
    word: str
    parent: int  # its place among the nodes, -1 for a first word
    chance: float  # of the word, after those before it
    whole: float  # of all words so far
    depth: int
    row: int


def growing_beam(tree: Mapping[str, tuple[float, Mapping]]) -> LiveFigure:
    """Show which beginnings a beam search keeps, as wide and as far as one likes (chapter 12).

    Args:
        tree: for each first word its probability, and such a tree of the words that may follow;
            an empty one where the sentence ends. All sentences have as many words.

    Returns:
        A figure with two sliders, for the number of beginnings and that of words.

    Raises:
        ValueError: if the tree is empty, or its sentences differ in length.

    Example:
        >>> tree = {"good": (0.4, {"night": (0.9, {})}), "see": (0.6, {"you": (0.5, {})})}
        >>> growing_beam(tree).data["nodes"]
        [['good', -1, 0.4], ['night', 0, 0.9], ['see', -1, 0.6], ['you', 2, 0.5]]
    """
    nodes: list[_Node] = []
    rows = _add(tree, nodes)
    parents = {node.parent for node in nodes}
    leaves = [node for place, node in enumerate(nodes) if place not in parents]
    lengths = sorted({leaf.depth for leaf in leaves})
    if len(lengths) != 1:
        raise ValueError(f"the sentences of tree must be equally long, got {lengths} words")
    width = COLUMN * lengths[0] + 125
    picture = svg(width, TOP + ROW * rows, *_words(nodes, rows), _sums(leaves, width))
    colours = [BLUE, OWN, GREY]
    data = {"nodes": [node[:3] for node in nodes], "length": lengths[0], "colours": colours}
    return LiveFigure("beam", data, picture, ALT)


def _add(tree: Mapping, nodes: list[_Node], parent: int = -1, row: int = 0) -> int:
    """Add the words of a tree, each before those that follow it, and return the next free row."""
    whole, depth = (nodes[parent].whole, nodes[parent].depth) if parent >= 0 else (1.0, 0)
    for word, (chance, rest) in tree.items():
        nodes.append(_Node(word, parent, chance, whole * chance, depth + 1, row))
        row = _add(rest, nodes, len(nodes) - 1, row) if rest else row + 1
    return row


def _words(nodes: list[_Node], rows: int) -> list[str]:
    """Draw each word with its branch, as a beam of one leaves them."""
    kept, seen = _greedy_way(nodes)
    middle = TOP + ROW * (rows - 1) / 2
    words = []
    for place, node in enumerate(nodes):
        left, start = COLUMN * node.depth, _y(nodes[node.parent]) if node.parent >= 0 else middle
        way = line([(left - 114, start), (left - 74, _y(node))])
        words.append(
            tag(
                "g",
                tag("path", d=way, fill="none", stroke="currentColor"),
                label(left - 70, _y(node) + 4, f"{node.word} {node.chance:g}"),
                at=f"node{place}",
                color=BLUE if place in kept else OWN if place in seen else GREY,
                stroke_width=3 if place in kept else 1,
                font_weight="bold" if place in kept else "normal",
            )
        )
    return words


def _sums(leaves: list[_Node], right: int) -> str:
    """Write beside each sentence its probability, and the logarithm of that."""
    most = max(leaf.whole for leaf in leaves)
    rows = [label(right - 55, 16, "whole"), label(right, 16, "log")]
    for leaf in leaves:
        log = f"{math.log(leaf.whole):.2f}".replace("-", "−")
        numbers = [(right - 55, f"{leaf.whole:.2f}"), (right, log)]
        texts = [label(x, _y(leaf) + 4, number) for x, number in numbers]
        rows.append(tag("g", *texts, color=RED if leaf.whole == most else OWN))
    return tag("g", *rows, text_anchor="end")


def _y(node: _Node) -> int:
    return TOP + ROW * node.row


def _greedy_way(nodes: list[_Node]) -> tuple[set[int], set[int]]:
    """Give the places of the likeliest word each time, and of all words that were compared."""
    kept, seen, place = set(), set(), -1
    while following := [i for i, node in enumerate(nodes) if node.parent == place]:
        place = max(following, key=lambda i: nodes[i].chance)
        kept.add(place)
        seen.update(following)
    return kept, seen
