"""Byte pairs in plain Python: how parts of words are found (chapter 11).

`BytePairVocabulary` leaves this to a library, which does the same a thousand times faster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise


def learn_merges(
    words: Mapping[str, int], merges: int, *, min_count: int = 2
) -> list[tuple[str, str]]:
    """Find the pairs to join: again and again the neighbours that occur most (chapter 11).

    Args:
        words: how often each word occurs. `▁` is set before it, to mark that a word begins.
        merges: how many pairs are wanted.
        min_count: how often a pair must occur to be joined, 1 or more.

    Returns:
        The pairs in the order of joining, fewer than `merges` where no other occurs often enough.
        Of equally common ones the pair whose parts came up first is joined: single characters in
        the order of their code points, then what was joined.

    Raises:
        ValueError: if `min_count` is below 1.

    Source: Sennrich, Haddow and Birch 2016, algorithm 1. There a word's end is marked.

    Example:
        >>> learn_merges({"ride": 3, "rider": 2, "wider": 1}, 3)
        [('d', 'e'), ('i', 'de'), ('r', 'ide')]
    """
    if min_count < 1:
        raise ValueError(f"min_count must be at least 1, got {min_count}")
    cut = {("▁", *word): count for word, count in words.items()}
    rank = {piece: i for i, piece in enumerate(sorted({piece for word in cut for piece in word}))}
    found: list[tuple[str, str]] = []
    while len(found) < merges:
        counts: Counter[tuple[str, str]] = Counter()
        for pieces, count in cut.items():
            for pair in pairwise(pieces):
                counts[pair] += count
        best = max(counts, key=lambda p: (counts[p], -rank[p[0]], -rank[p[1]]), default=None)
        if best is None or counts[best] < min_count:
            break
        found.append(best)
        rank.setdefault("".join(best), len(rank))
        cut = {join_pair(pieces, best): count for pieces, count in cut.items()}
    return found


def cut_word(word: str, merges: Sequence[tuple[str, str]]) -> list[str]:
    """Cut a word into pieces: join its characters pair by pair, as was learned (chapter 11).

    Example:
        >>> cut_word("wide", [("d", "e"), ("i", "de"), ("r", "ide")])
        ['▁', 'w', 'ide']
    """
    pieces = ("▁", *word)
    for pair in merges:
        pieces = join_pair(pieces, pair)
    return list(pieces)


def join_pair(pieces: Sequence[str], pair: tuple[str, str]) -> tuple[str, ...]:
    """Join the two pieces of a pair wherever they stand side by side, from the left.

    Example:
        >>> join_pair(("a", "a", "a", "b"), ("a", "a"))
        ('aa', 'a', 'b')
    """
    joined: list[str] = []
    place = 0
    while place < len(pieces):
        if tuple(pieces[place : place + 2]) == pair:
            joined.append("".join(pair))
            place += 2
        else:
            joined.append(pieces[place])
            place += 1
    return tuple(joined)
