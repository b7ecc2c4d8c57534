"""Decoder layers that go wrong in one way each (chapter 10)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

import attncourse
from attncourse.exercises.ch03.scaled_dot_product_attention import NORMALISE

ZEROS, NAN, UNIFORM = NORMALISE  # what a softmax makes of a row that is masked whole


def norm(x):
    return F.layer_norm(x, x.shape[-1:])


def after(x, f):
    return norm(x + f(x))


def first(x, f):
    return x + f(norm(x))


def past(length):
    return attncourse.causal_mask(length)


def ones(length):
    return torch.ones(length, length, dtype=torch.bool)


def asked(x, memory):
    return x, memory, memory


def written(x, memory):
    return x, x, x


def keys(mask):
    return mask[:, None]


def every(mask):
    return torch.ones_like(mask)[:, :1, None]


def scores(query, key):
    return query @ key.mT / math.sqrt(query.shape[-1])


def decoder(
    past=past,
    own=written,
    cross=asked,
    place=keys,
    add=(after, after),
    order=1,
    score=scores,
    normalise=(ZEROS, NAN),
):
    """A decoder layer, each choice open to be wrong: one function for each normalisation."""

    def build(weigh):
        def function(x, memory, memory_mask):
            def look(x):
                query, key, value = own(x, memory)
                return weigh(score(query, key), past(x.shape[1])) @ value

            def read(x):
                query, key, value = cross(x, memory)
                return weigh(score(query, key), place(memory_mask)) @ value

            for f, added in zip((look, read)[::order], add, strict=True):
                x = added(x, f)
            return x

        return function

    return tuple(build(weigh) for weigh in normalise)


def late(scores, mask):
    return scores.softmax(-1) * mask


def causally(x):
    return attncourse.attend(x, x, x, causal=True)


def crossed_causally(x, memory, memory_mask):
    y = after(x, causally)
    seen = memory_mask[:, None] & past_of_both(x, memory)
    return after(y, lambda y: attncourse.attend(y, memory, memory, seen))


def past_of_both(x, memory):
    return torch.ones(x.shape[1], memory.shape[1], dtype=torch.bool).tril()


def unplaced(x, memory, memory_mask):
    y = after(x, causally)
    return after(y, lambda y: attncourse.attend(y, memory, memory, memory_mask))


def raw_stream(x, memory, memory_mask):
    y = after(x, causally)
    return norm(x + attncourse.attend(y, memory, memory, memory_mask[:, None]))


def raw_query(x, memory, memory_mask):
    y = after(x, causally)
    return norm(y + attncourse.attend(x, memory, memory, memory_mask[:, None]))
