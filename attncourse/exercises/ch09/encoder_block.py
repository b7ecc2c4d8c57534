"""Find the bug (chapter 09): a block whose residual connection is cut."""

from __future__ import annotations

from itertools import product

import torch
import torch.nn.functional as F

import attncourse
from attncourse.exercises.ch09 import _broken
from attncourse.exercises.judging import FLOAT64, STRIDED, Case, Exercise, Input, Misconception


def block(x, first_weight, second_weight):
    normed = torch.nn.functional.layer_norm(x, x.shape[-1:])
    x = x + attncourse.attend(normed, normed, normed)
    normed = torch.nn.functional.layer_norm(x, x.shape[-1:])
    return x + torch.relu(normed @ first_weight.mT) @ second_weight.mT


def _norm(x):
    return F.layer_norm(x, x.shape[-1:])


def _itself(x):
    return x


def _attend(x):
    return attncourse.attend(x, x, x)


def _first(x, f):  # x + f(norm(x))
    return x + f(_norm(x))


def _cut(x, f):
    return _norm(x) + f(_norm(x))


def _after(x, f):
    return _norm(x + f(x))


def _bare(x, f):
    return x + f(x)


def _alone(x, f):
    return f(_norm(x))


def _result(x, f):
    return x + _norm(f(x))


def _block(one=_first, two=_first, attend=_attend, end=_itself):
    """A block whose sublayers are added in other ways."""

    def function(x, first_weight, second_weight):
        x = one(x, attend)
        return end(two(x, lambda x: torch.relu(x @ first_weight.mT) @ second_weight.mT))

    return function


def _abreast(x, first_weight, second_weight):
    normed = _norm(x)
    return x + _attend(normed) + torch.relu(normed @ first_weight.mT) @ second_weight.mT


def _unchanged(x, first_weight, second_weight):
    """The second sublayer is added to what came into the block."""
    normed = _norm(x + _attend(_norm(x)))
    return x + torch.relu(normed @ first_weight.mT) @ second_weight.mT


def _asked_raw(parts):
    """Attention of which only some parts are normalised."""

    def function(x, first_weight, second_weight):
        given = (_norm(x) if part else x for part in parts)
        y = x + attncourse.attend(*given)
        return _first(y, lambda y: torch.relu(y @ first_weight.mT) @ second_weight.mT)

    return function


EXERCISE = Exercise(
    name="encoder_block",
    chapter="09",
    signature="block(x, first_weight, second_weight) -> (batch, length, embed)",
    inputs=(
        Input("x", "batch length embed"),
        Input("first_weight", "ffn embed"),
        Input("second_weight", "embed ffn"),
    ),
    sizes={"batch": 2, "length": 5, "embed": 7, "ffn": 11},
    cases=(
        Case(label="two sentences"),
        Case(label="one word", sizes={"length": 1}),
        Case(label="as many words as features", sizes={"length": 7, "embed": 7}),
        Case(label="a network as wide as a word", sizes={"embed": 7, "ffn": 7}),
        Case(label="large numbers in the stream", scale={"x": 10.0}),
        STRIDED,
        FLOAT64,
        Case(label="bfloat16", dtype=torch.bfloat16, scale={"second_weight": 0.125}),
    ),
    misconceptions=(
        Misconception(
            "the residual starts from the normalised input: x is overwritten by norm(x), so "
            "the mean and the size of what came in are lost, at every layer. Add to x itself; only "
            "the sublayer reads norm(x)",
            (
                _broken.block,
                _block(_cut, _cut),
            ),
        ),
        Misconception(
            "one of the two residuals still starts from norm(x). Add to x itself, both times",
            (_block(_cut, _first), _block(_first, _cut)),
        ),
        Misconception(
            "a residual is missing: a sublayer's result stands in place of x, where it is added "
            "to it",
            (_block(_alone, _first), _block(_first, _alone), _block(_alone, _alone)),
        ),
        Misconception(
            "the norm comes after the sum, as in the paper: norm(x + f(x)). Here it comes first, "
            "x + f(norm(x)), which leaves a path from the first layer to the last that no norm "
            "cuts",
            (_block(_after, _after), _block(_first, _after), _block(_after, _first)),
        ),
        Misconception(
            "the second sublayer reads x without a norm. It has one of its own, of what the first "
            "one made",
            (_block(_first, _bare),),
        ),
        Misconception(
            "a sublayer reads x without a norm",
            (
                _block(_bare, _first),
                _block(_bare, _bare),
                *(
                    _asked_raw(parts)
                    for parts in product((True, False), repeat=3)
                    if 0 < sum(parts) < 3
                ),
            ),
        ),
        Misconception(
            "the norm is on what a sublayer gives; it is on what a sublayer reads",
            tuple(_block(one, two) for one, two in ((_result, _result), (_first, _result))),
        ),
        Misconception(
            "the two sublayers work side by side: both read the norm of what came into the block. "
            "The network comes after attention, and reads the norm of what that made",
            (_abreast,),
        ),
        Misconception(
            "the second sum starts from what came into the block, and what attention added is lost",
            (_unchanged,),
        ),
        Misconception(
            "the block ends with a norm. With the norm first there is one after the last block, "
            "not in each",
            (_block(end=_norm),),
        ),
    ),
    hint="Give what is normalised a name of its own. Then read the two sums aloud: what is added "
    "to what?",
    solution=block,
    broken=_broken.block,
)
