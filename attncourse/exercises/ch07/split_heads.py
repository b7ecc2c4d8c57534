"""An exercise of chapter 07: features cut into heads."""

from __future__ import annotations

import torch

from attncourse.exercises.judging import (
    BFLOAT16,
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
    size,
)


def split_heads(x, num_heads):
    heads = x.unflatten(-1, (num_heads, -1))  # (batch, length, heads, head_dim)
    return heads.transpose(1, 2)


def _read_off(x, num_heads):
    """Heads, tokens and features as they come in memory, each token's heads torn apart."""
    batch, length, width = x.shape
    return x.reshape(batch, num_heads, length, width // num_heads)


def _interleaved(x, num_heads):
    """Every head gets every so-manieth feature."""
    return x.unflatten(-1, (-1, num_heads)).permute(0, 3, 1, 2)


def _words_unflattened(x, num_heads):
    return x.unflatten(1, (num_heads, -1))


def _words_reshaped(x, num_heads):
    batch, length, width = x.shape
    return x.reshape(batch, num_heads, length // num_heads, width)


def _words_chunked(x, num_heads):
    return torch.stack(x.chunk(num_heads, dim=1), dim=1)


def _as_wide_as_many(x, num_heads):
    return x.unflatten(-1, (-1, num_heads)).transpose(1, 2)


def _copied(x, num_heads):
    return x.unsqueeze(1).repeat(1, num_heads, 1, 1)


SIZES = {"batch": 7, "length": 5, "heads": 3, "head_dim": 2}
TIED = {"embed": lambda sizes: sizes["heads"] * sizes["head_dim"]}
ALIKE = (
    Case(label="as many words as heads", sizes={"length": 3, "heads": 3}),
    Case(label="as many words as a head is wide", sizes={"length": 2, "head_dim": 2}),
    Case(label="as many heads as a head is wide", sizes={"heads": 3, "head_dim": 3}),
    Case(label="as many sentences as heads", sizes={"batch": 3, "heads": 3}),
    Case(label="as many sentences as words", sizes={"batch": 5, "length": 5}),
)

EXERCISE = Exercise(
    name="split_heads",
    chapter="07",
    signature="split_heads(x, num_heads) -> (batch, heads, length, head_dim)",
    inputs=(Input("x", "batch length embed"), Input("num_heads", "heads", draw=size)),
    sizes=SIZES,
    tied=TIED,
    cases=(
        Case(label="three heads"),
        Case(label="one sentence", sizes={"batch": 1}),
        Case(label="one head", sizes={"heads": 1}),
        Case(label="heads of a single feature", sizes={"head_dim": 1}),
        Case(label="words that the heads divide", sizes={"length": 6, "heads": 3}),
        *ALIKE,
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "your heads are read straight off the memory, where the features of a word stand "
            "together, so a head gets whole words and scraps of words. Cut the last axis first, "
            "then bring the heads forward with transpose",
            (_read_off,),
        ),
        Misconception(
            "the heads take turns: of three, the first gets features 0, 3, 6 and so on. "
            "A head is a slice, its features side by side: (heads, head_dim), in this order",
            (_interleaved,),
        ),
        Misconception(
            "you cut the words, so a head sees some words only. Cut the features: every head sees "
            "all words, and a part of each",
            (_words_unflattened, _words_reshaped, _words_chunked),
        ),
        Misconception(
            "the number of heads is taken for their width; the width is embed / num_heads",
            (_as_wide_as_many,),
        ),
        Misconception(
            "the heads stand behind the words: (batch, length, heads, head_dim). Attention works "
            "on the last two axes, which must be words and features",
            (lambda x, num_heads: x.unflatten(-1, (num_heads, -1)),),
        ),
        Misconception(
            "the features stand before the words: (batch, heads, head_dim, length)",
            (lambda x, num_heads: split_heads(x, num_heads).mT,),
        ),
        Misconception(
            "the heads stand before the batch; it is (batch, heads, length, head_dim)",
            (
                lambda x, num_heads: split_heads(x, num_heads).transpose(0, 1),
                lambda x, num_heads: torch.stack(x.chunk(num_heads, dim=-1)),
            ),
        ),
        Misconception(
            "the heads are folded into the batch: (batch * heads, length, head_dim). That works "
            "too, but then every mask must be folded the same way; here they keep an axis",
            (lambda x, num_heads: split_heads(x, num_heads).flatten(0, 1),),
        ),
        Misconception(
            "every head gets all features; the heads share them out, embed / num_heads each",
            (_copied,),
        ),
    ),
    hint="Two steps: the last axis becomes two, (heads, head_dim), then heads and words change "
    "places. unflatten(-1, ...) or reshape does the first.",
    solution=split_heads,
)
