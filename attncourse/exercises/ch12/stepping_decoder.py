"""Find the bug (chapter 12): a decoder that writes token by token, and loses its place."""

from __future__ import annotations

import torch

import attncourse
from attncourse.exercises.ch12 import _broken
from attncourse.exercises.judging import FLOAT64, STRIDED, Case, Input, Misconception, Several


def decode_step(x, codes, past, memory):
    written = past.shape[1]
    x = x + codes[written : written + x.shape[1]]
    past = torch.cat([past, x], dim=1)
    x = x + attncourse.attend(x, past, past, causal=True)
    x = x + attncourse.attend(x, memory, memory)
    return x, past, memory


# -- the ways to go wrong --------------------------------------------------------------------------


def _next(codes, written, new):
    return codes[written : written + new]


def _first(codes, written, new):
    return codes[:new]


def _zeroth(codes, written, new):
    return codes[0]


def _append(past, x):
    return torch.cat([past, x], dim=1)


def _causal(x, past):
    return attncourse.attend(x, past, past, causal=True)


def _open(x, past):
    return attncourse.attend(x, past, past)


def _from_the_first_key(x, past):
    mask = torch.ones(x.shape[1], past.shape[1], dtype=torch.bool).tril()
    return attncourse.attend(x, past, past, mask)


def _same(memory, x):
    return memory


def _grown(memory, x):
    return torch.cat([memory, x], dim=1)


def _twice(memory, x):
    return torch.cat([memory, memory], dim=1)


def _step(
    code=_next,
    join=_append,
    look=_causal,
    source=_same,
    read=_open,
    keep=lambda past, joined: joined,
    keep_source=lambda memory, used: used,
):
    """A step, each choice open to be wrong."""

    def function(x, codes, past, memory):
        x = x + code(codes, past.shape[1], x.shape[1])
        joined = join(past, x)
        x = x + look(x, joined)
        used = source(memory, x)
        return x + read(x, used), keep(past, joined), keep_source(memory, used)

    return function


def _grown_before(x, codes, past, memory):
    """The cross-attention gets what self-attention read, before it looked."""
    x = x + _next(codes, past.shape[1], x.shape[1])
    past, memory = _append(past, x), _append(memory, x)
    x = x + _causal(x, past)
    return x + _open(x, memory), past, memory


def _grown_after(x, codes, past, memory):
    """The cross-attention's cache grows for the next step only."""
    x, past, memory = decode_step(x, codes, past, memory)
    return x, past, _append(memory, x)


def _unplaced_kept(x, codes, past, memory):
    placed = x + _next(codes, past.shape[1], x.shape[1])
    joined = _append(past, x)
    y = placed + _causal(placed, joined)
    return y + _open(y, memory), joined, memory


def _placed_again(x, codes, past, memory):
    joined = _append(past, x)
    placed = joined + codes[: joined.shape[1]]
    x = placed[:, past.shape[1] :]
    x = x + _causal(x, placed)
    return x + _open(x, memory), placed, memory


def _too_late(x, codes, past, memory):
    x = x + _next(codes, past.shape[1], x.shape[1])
    joined = _append(past, x)
    x = x + _open(x, past)
    return x + _open(x, memory), joined, memory


QUARTERS = dict.fromkeys(("x", "codes", "past", "memory"), 0.25)

EXERCISE = Several(
    name="stepping_decoder",
    chapter="12",
    signature="decode_step(x, codes, past, memory) "
    "-> output (batch, new, width), past (batch, past + new, width), "
    "memory (batch, source, width)",
    parts=("output", "past", "memory"),
    inputs=(
        Input("x", "batch new width"),
        Input("codes", "length width"),
        Input("past", "batch past width"),
        Input("memory", "batch source width"),
    ),
    sizes={"batch": 2, "new": 3, "past": 5, "source": 7, "width": 11},
    tied={"length": lambda sizes: sizes["past"] + sizes["new"] + 2},
    cases=(
        Case(
            label="the second token alone",
            sizes={"new": 1, "past": 1},
            hint="A token that comes alone is not the first: as many stand before it as are kept.",
        ),
        Case(label="the sixth token alone", sizes={"new": 1}),
        Case(label="three tokens after five"),
        Case(label="as many new tokens as were written", sizes={"new": 3, "past": 3}),
        Case(label="as many tokens written as the source has", sizes={"past": 7, "source": 7}),
        Case(label="one sentence", sizes={"batch": 1}),
        Case(label="as many sentences as new tokens", sizes={"batch": 3, "new": 3}),
        STRIDED,
        FLOAT64,
        Case(
            label="bfloat16",
            dtype=torch.bfloat16,
            scale=QUARTERS,
        ),
        # In bfloat16, where gradients are not compared: what is empty has none.
        Case(
            label="a sentence that comes whole",
            sizes={"past": 0},
            dtype=torch.bfloat16,
            scale=QUARTERS,
            hint="Nothing was written before: `past` is (batch, 0, width), and torch.cat takes it.",
        ),
    ),
    misconceptions=(
        Misconception(
            "every token stands at position 0. Steps bring one token each, and its code is always "
            "the table's first, so the sentence loses its order. As many tokens stand before it as "
            "`past` holds",
            (
                _broken.decode_step,
                *(_step(_first, source=source) for source in (_same, _twice)),
                *(_step(_zeroth, source=source) for source in (_same, _grown)),
            ),
        ),
        Misconception(
            "the source grows with what is written: the new tokens are appended to its memory, as "
            "to `past`. The second look then reads the translation along with the source, more of "
            "it at each step. The source was whole from the start",
            (
                _step(source=_grown),
                _step(source=_grown, keep_source=lambda memory, used: memory),
                _grown_before,
                _grown_after,
            ),
        ),
        Misconception(
            "the memory is kept twice over. Each weight is halved, so the output is the same, but "
            "what a step costs doubles with each token",
            (
                _step(source=_twice),
                _step(keep_source=lambda memory, used: torch.cat([memory, memory], dim=1)),
            ),
        ),
        Misconception(
            "all new tokens get one position; the first stands behind what is written, the others "
            "follow",
            (
                _step(lambda codes, written, new: codes[written]),
                _step(lambda codes, written, new: codes[written + new - 1]),
            ),
        ),
        Misconception(
            "the positions are off by one: with no token before it, a token stands at 0",
            (
                _step(lambda codes, written, new: codes[written + 1 : written + new + 1]),
                _step(
                    lambda codes, written, new: codes[
                        (torch.arange(new) + written - 1).clamp(min=0)
                    ]
                ),
            ),
        ),
        Misconception(
            "`past` keeps the new tokens without their positions, and what was written is found "
            "without its order",
            (_unplaced_kept,),
        ),
        Misconception(
            "what is kept gets its positions again at each step. They were added when it came",
            (_placed_again,),
        ),
        Misconception(
            "the new tokens are appended too late: they do not see themselves",
            (_too_late,),
        ),
        Misconception(
            "`past` does not grow, so the next token will not find this one",
            (
                _step(keep=lambda past, joined: past),
                _step(keep=lambda past, joined: past, source=_grown),
            ),
        ),
        Misconception(
            "the mask of what is written begins at the first key. The queries are the last tokens: "
            "causal=True of attend has the ends meet",
            (_step(look=_from_the_first_key),),
        ),
        Misconception(
            "several new tokens see their own future; with one the mask hides nothing",
            (_step(look=_open),),
        ),
        Misconception(
            "the source is read causally. It is there from its first token to its last, whatever "
            "is written",
            (_step(read=_causal), _step(read=_from_the_first_key)),
        ),
    ),
    hint="Decode three tokens at once, then one by one, passing on what each step returns. Compare "
    "the outputs, then the shapes of both caches. There are two faults.",
    solution=decode_step,
    broken=_broken.decode_step,
)
