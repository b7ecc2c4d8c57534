"""An exercise of chapter 10: what a decoder layer looks at."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
import torch.nn.functional as F

import attncourse
from attncourse.exercises.ch03.scaled_dot_product_attention import NORMALISE
from attncourse.exercises.judging.exercise import (
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
    allowed,
)
from attncourse.exercises.judging.faults import blind_to

ZEROS, NAN, UNIFORM = NORMALISE  # what a softmax makes of a row that is masked whole


def decoder_layer(x, memory, memory_mask):
    norm, width = torch.nn.functional.layer_norm, x.shape[-1:]
    x = norm(x + attncourse.attend(x, x, x, causal=True), width)
    read = attncourse.attend(x, memory, memory, memory_mask[:, None])
    return norm(x + read, width)


# -- the ways to go wrong --------------------------------------------------------------------------


def _norm(x):
    return F.layer_norm(x, x.shape[-1:])


def _after(x, f):
    return _norm(x + f(x))


def _first(x, f):
    return x + f(_norm(x))


def _past(length):
    return attncourse.causal_mask(length)


def _ones(length):
    return torch.ones(length, length, dtype=torch.bool)


def _asked(x, memory):
    return x, memory, memory


def _written(x, memory):
    return x, x, x


def _keys(mask):
    return mask[:, None]


def _every(mask):
    return torch.ones_like(mask)[:, :1, None]


def _scores(query, key):
    return query @ key.mT / math.sqrt(query.shape[-1])


def _decoder(
    past=_past,
    own=_written,
    cross=_asked,
    place=_keys,
    add=(_after, _after),
    order=1,
    score=_scores,
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


def _late(scores, mask):
    return scores.softmax(-1) * mask


def _causally(x):
    return attncourse.attend(x, x, x, causal=True)


def _crossed_causally(x, memory, memory_mask):
    y = _after(x, _causally)
    seen = memory_mask[:, None] & _seen(x, memory)
    return _after(y, lambda y: attncourse.attend(y, memory, memory, seen))


def _seen(x, memory):
    return torch.ones(x.shape[1], memory.shape[1], dtype=torch.bool).tril()


def _unplaced(x, memory, memory_mask):
    y = _after(x, _causally)
    return _after(y, lambda y: attncourse.attend(y, memory, memory, memory_mask))


def _raw_stream(x, memory, memory_mask):
    y = _after(x, _causally)
    return _norm(x + attncourse.attend(y, memory, memory, memory_mask[:, None]))


def _raw_query(x, memory, memory_mask):
    y = _after(x, _causally)
    return _norm(y + attncourse.attend(x, memory, memory, memory_mask[:, None]))


EXERCISE = Exercise(
    name="decoder_layer",
    chapter="10",
    signature="decoder_layer(x, memory, memory_mask) -> (batch, target, width)",
    inputs=(
        Input("x", "batch target width"),
        Input("memory", "batch source width"),
        Input("memory_mask", "batch source", draw=allowed),
    ),
    sizes={"batch": 2, "target": 5, "source": 7, "width": 11},
    cases=(
        Case(label="a padded batch", mask="random"),
        Case(label="one sentence", mask="random", sizes={"batch": 1}),
        Case(label="one word", mask="random", sizes={"target": 1}),
        Case(
            label="as many words as the source has",
            mask="random",
            sizes={"target": 5, "source": 5},
        ),
        Case(label="as many sentences as words", mask="random", sizes={"batch": 5, "target": 5}),
        Case(
            label="as many sentences as words in the source",
            mask="random",
            sizes={"batch": 7, "source": 7},
        ),
        Case(
            label="as many words as features",
            mask="random",
            sizes={"target": 11, "width": 11},
        ),
        Case(
            label="a source of nothing but padding",
            mask="empty row",
            hint="Who may attend to nothing gets zeros: attncourse.attend and "
            "attncourse.masked_softmax see to it.",
        ),
        replace(STRIDED, mask="random"),
        Case(label="float64", mask="empty row", dtype=torch.float64),
        Case(
            label="bfloat16",
            mask="random",
            dtype=torch.bfloat16,
            scale={"x": 0.5, "memory": 0.5},
        ),
    ),
    misconceptions=(
        Misconception(
            "your self-attention has no causal mask, so each word reads the one that it is to "
            "predict. Training looks splendid, and writing fails",
            _decoder(past=_ones),
        ),
        Misconception(
            "your causal mask is the other way round: each word sees its future and not its past. "
            "True means that a word may be looked at, so the lower triangle is true",
            (
                *_decoder(past=lambda length: _ones(length).triu()),
                *_decoder(past=lambda length: ~_past(length)),
            ),
        ),
        Misconception(
            "a word does not see itself: the diagonal belongs to the past. The first word then has "
            "nothing to look at",
            _decoder(past=lambda length: _ones(length).tril(-1)),
        ),
        Misconception(
            "your causal mask is off by one: each word sees the next, which it is to predict",
            _decoder(past=lambda length: _ones(length).tril(1)),
        ),
        Misconception(
            "your cross-attention is causal as well. The source is there from its first word to "
            "its last, so nothing of it but padding is hidden",
            (_crossed_causally,),
        ),
        Misconception(
            "in your cross-attention the memory asks. The words that are written ask, the memory "
            "answers: query x, key and value memory",
            (
                *_decoder(
                    cross=lambda x, memory: (memory, x, x), place=lambda mask: mask[..., None]
                ),
                *_decoder(cross=lambda x, memory: (memory, x, x)),
                *_decoder(cross=lambda x, memory: (memory, x, x), place=_every),
                *_decoder(cross=lambda x, memory: (memory, memory, memory)),
            ),
        ),
        Misconception(
            "your cross-attention reads what is written in place of the memory, so the source is "
            "never seen",
            (
                *_decoder(cross=_written, place=_every),
                *_decoder(cross=_written),
            ),
        ),
        Misconception(
            "the memory is never read: another source gets the same answer",
            (lambda x, memory, memory_mask: _after(x, _causally),),
            shows=blind_to(1),
        ),
        Misconception(
            "in your cross-attention key and value are not both the memory. What is compared and "
            "what is read come from the same words",
            (
                *_decoder(cross=lambda x, memory: (x, memory, x)),
                *_decoder(cross=lambda x, memory: (x, x, memory)),
            ),
        ),
        Misconception(
            "padding of the source is read: the memory's mask has no effect",
            _decoder(place=_every),
        ),
        Misconception(
            'the memory\'s mask is the other way round: True means "may attend"',
            _decoder(place=lambda mask: ~_keys(mask)),
        ),
        Misconception(
            "the memory's mask has no axis for the words that ask, so its sentences meet them: "
            "(batch, source) becomes memory_mask[:, None]",
            (
                *_decoder(place=lambda mask: mask),
                *_decoder(place=lambda mask: mask[..., None]),
                _unplaced,
            ),
        ),
        Misconception(
            "the mask comes after the softmax, so the weights that are left do not sum to one. "
            "Mask the scores, before",
            _decoder(normalise=(_late,)),
        ),
        Misconception(
            "a residual is missing: what attention gives stands in place of x, where it is added "
            "to it",
            tuple(
                function
                for adds in (
                    (lambda x, f: _norm(f(x)), _after),
                    (_after, lambda x, f: _norm(f(x))),
                    (lambda x, f: _norm(f(x)),) * 2,
                )
                for function in _decoder(add=adds)
            ),
        ),
        Misconception(
            "the norm comes first, x + f(norm(x)). That trains well and is another layer: here it "
            "comes after the sum, as in the paper",
            (
                *_decoder(add=(_first, _first)),
                *_decoder(add=(lambda x, f: _norm(x + f(_norm(x))),) * 2),
            ),
        ),
        Misconception(
            "the norm is on what attention gives, before the sum; it is on the sum",
            _decoder(add=(lambda x, f: x + _norm(f(x)),) * 2),
        ),
        Misconception(
            "a norm is missing: each of the two sums has one",
            tuple(
                function
                for adds in (
                    (lambda x, f: x + f(x), _after),
                    (_after, lambda x, f: x + f(x)),
                    (lambda x, f: x + f(x),) * 2,
                )
                for function in _decoder(add=adds)
            ),
        ),
        Misconception(
            "the source is read before what is written; self-attention comes first",
            _decoder(order=-1),
        ),
        Misconception(
            "the second half does not work on what the first made: it asks, or is added, with the "
            "x that came into the layer",
            (_raw_stream, _raw_query),
        ),
        Misconception(
            "your scores are not divided by the root of the width",
            _decoder(score=lambda query, key: query @ key.mT),
        ),
        Misconception(
            "a source of nothing but padding gets NaN: the softmax of nothing but minus infinity "
            "is 0/0. What may attend to nothing gets zeros",
            _decoder(normalise=(NAN,)),
        ),
        Misconception(
            "masked scores get a large negative number, and where the source is nothing but "
            "padding all of it is read. What may attend to nothing gets zeros",
            _decoder(normalise=(UNIFORM,)),
        ),
    ),
    hint="x asks twice: itself, up to its own place, then the memory, whose padding is hidden. "
    "After each, add and normalise. attend knows causal=True; which axis does memory_mask lack?",
    solution=decoder_layer,
)
