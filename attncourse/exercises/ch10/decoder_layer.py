"""An exercise of chapter 10: what a decoder layer looks at."""

from __future__ import annotations

from dataclasses import replace

import torch

import attncourse
from attncourse.exercises.ch10._decoder_layers import (
    NAN,
    UNIFORM,
    after,
    causally,
    crossed_causally,
    decoder,
    every,
    first,
    keys,
    late,
    norm,
    ones,
    past,
    raw_query,
    raw_stream,
    unplaced,
    written,
)
from attncourse.exercises.judging import (
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
    allowed,
    blind_to,
)


def decoder_layer(x, memory, memory_mask):
    norm, width = torch.nn.functional.layer_norm, x.shape[-1:]
    x = norm(x + attncourse.attend(x, x, x, causal=True), width)
    read = attncourse.attend(x, memory, memory, memory_mask[:, None])
    return norm(x + read, width)


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
            decoder(past=ones),
        ),
        Misconception(
            "your causal mask is the other way round: each word sees its future and not its past. "
            "True means that a word may be looked at, so the lower triangle is true",
            (
                *decoder(past=lambda length: ones(length).triu()),
                *decoder(past=lambda length: ~past(length)),
            ),
        ),
        Misconception(
            "a word does not see itself: the diagonal belongs to the past. The first word then has "
            "nothing to look at",
            decoder(past=lambda length: ones(length).tril(-1)),
        ),
        Misconception(
            "your causal mask is off by one: each word sees the next, which it is to predict",
            decoder(past=lambda length: ones(length).tril(1)),
        ),
        Misconception(
            "your cross-attention is causal as well. The source is there from its first word to "
            "its last, so nothing of it but padding is hidden",
            (crossed_causally,),
        ),
        Misconception(
            "in your cross-attention the memory asks. The words that are written ask, the memory "
            "answers: query x, key and value memory",
            (
                *decoder(
                    cross=lambda x, memory: (memory, x, x), place=lambda mask: mask[..., None]
                ),
                *decoder(cross=lambda x, memory: (memory, x, x)),
                *decoder(cross=lambda x, memory: (memory, x, x), place=every),
                *decoder(cross=lambda x, memory: (memory, memory, memory)),
            ),
        ),
        Misconception(
            "your cross-attention reads what is written in place of the memory, so the source is "
            "never seen",
            (
                *decoder(cross=written, place=every),
                *decoder(cross=written),
            ),
        ),
        Misconception(
            "the memory is never read: another source gets the same answer",
            (lambda x, memory, memory_mask: after(x, causally),),
            shows=blind_to(1),
        ),
        Misconception(
            "in your cross-attention key and value are not both the memory. What is compared and "
            "what is read come from the same words",
            (
                *decoder(cross=lambda x, memory: (x, memory, x)),
                *decoder(cross=lambda x, memory: (x, x, memory)),
            ),
        ),
        Misconception(
            "padding of the source is read: the memory's mask has no effect",
            decoder(place=every),
        ),
        Misconception(
            'the memory\'s mask is the other way round: True means "may attend"',
            decoder(place=lambda mask: ~keys(mask)),
        ),
        Misconception(
            "the memory's mask has no axis for the words that ask, so its sentences meet them: "
            "(batch, source) becomes memory_mask[:, None]",
            (
                *decoder(place=lambda mask: mask),
                *decoder(place=lambda mask: mask[..., None]),
                unplaced,
            ),
        ),
        Misconception(
            "the mask comes after the softmax, so the weights that are left do not sum to one. "
            "Mask the scores, before",
            decoder(normalise=(late,)),
        ),
        Misconception(
            "a residual is missing: what attention gives stands in place of x, where it is added "
            "to it",
            tuple(
                function
                for adds in (
                    (lambda x, f: norm(f(x)), after),
                    (after, lambda x, f: norm(f(x))),
                    (lambda x, f: norm(f(x)),) * 2,
                )
                for function in decoder(add=adds)
            ),
        ),
        Misconception(
            "the norm comes first, x + f(norm(x)). That trains well and is another layer: here it "
            "comes after the sum, as in the paper",
            (
                *decoder(add=(first, first)),
                *decoder(add=(lambda x, f: norm(x + f(norm(x))),) * 2),
            ),
        ),
        Misconception(
            "the norm is on what attention gives, before the sum; it is on the sum",
            decoder(add=(lambda x, f: x + norm(f(x)),) * 2),
        ),
        Misconception(
            "a norm is missing: each of the two sums has one",
            tuple(
                function
                for adds in (
                    (lambda x, f: x + f(x), after),
                    (after, lambda x, f: x + f(x)),
                    (lambda x, f: x + f(x),) * 2,
                )
                for function in decoder(add=adds)
            ),
        ),
        Misconception(
            "the source is read before what is written; self-attention comes first",
            decoder(order=-1),
        ),
        Misconception(
            "the second half does not work on what the first made: it asks, or is added, with the "
            "x that came into the layer",
            (raw_stream, raw_query),
        ),
        Misconception(
            "your scores are not divided by the root of the width",
            decoder(score=lambda query, key: query @ key.mT),
        ),
        Misconception(
            "a source of nothing but padding gets NaN: the softmax of nothing but minus infinity "
            "is 0/0. What may attend to nothing gets zeros",
            decoder(normalise=(NAN,)),
        ),
        Misconception(
            "masked scores get a large negative number, and where the source is nothing but "
            "padding all of it is read. What may attend to nothing gets zeros",
            decoder(normalise=(UNIFORM,)),
        ),
    ),
    hint="x asks twice: itself, up to its own place, then the memory, whose padding is hidden. "
    "After each, add and normalise. attend knows causal=True; which axis does memory_mask lack?",
    solution=decoder_layer,
)
