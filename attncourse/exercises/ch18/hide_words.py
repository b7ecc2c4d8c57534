"""An exercise of chapter 18: words hidden by BERT's rule."""

from __future__ import annotations

import torch

from attncourse.exercises.judging import STRIDED, Case, Exercise, Input, Misconception

MASK = 9


def hide_words(tokens, chosen, fate, drawn, mask_id):
    read = tokens.masked_fill(chosen & (fate < 0.8), mask_id)
    changed = chosen & (fate >= 0.8) & (fate < 0.9)
    return torch.where(changed, drawn, read)


def _tokens(shape, case, generator):
    return torch.randint(1, 5, shape, generator=generator)


def _others(shape, case, generator):
    """Draw words that are none of the text's, so that a change shows."""
    return torch.randint(5, 9, shape, generator=generator)


def _chosen(shape, case, generator):
    return torch.rand(shape, generator=generator) < 0.6


def _fate(shape, case, generator):
    """Draw 0.05, 0.15, ..., 0.95, the last ones more often; nothing lies on a border."""
    tenths = torch.randint(10, shape, generator=generator)
    late = torch.randint(7, 10, shape, generator=generator)
    return (torch.where(torch.rand(shape, generator=generator) < 0.5, tenths, late) + 0.5) / 10


def _all(fate):
    return torch.ones_like(fate, dtype=torch.bool)


def _none(fate):
    return torch.zeros_like(fate, dtype=torch.bool)


def _rule(masked, changed, where=lambda chosen: chosen):
    """The rule with other borders, or at other places."""

    def function(tokens, chosen, fate, drawn, mask_id):
        places = where(chosen)
        read = tokens.masked_fill(places & masked(fate), mask_id)
        return torch.where(places & changed(fate), drawn, read)

    return function


def _below(fate):
    return fate < 0.8


def _between(fate):
    return (fate >= 0.8) & (fate < 0.9)


EXERCISE = Exercise(
    name="hide_words",
    chapter="18",
    signature="hide_words(tokens, chosen, fate, drawn, mask_id) -> (batch, length), token ids",
    inputs=(
        Input("tokens", "batch length", draw=_tokens),
        Input("chosen", "batch length", draw=_chosen),
        Input("fate", "batch length", draw=_fate),
        Input("drawn", "batch length", draw=_others),
        Input("mask_id", draw=lambda shape, case, generator: MASK),
    ),
    sizes={"batch": 5, "length": 11},
    cases=(
        Case(label="five texts"),
        Case(label="one text", sizes={"batch": 1, "length": 23}),
        Case(
            label="the three fates in one text",
            given={
                "tokens": torch.tensor([[1, 2, 3, 4]]),
                "chosen": torch.tensor([[True, True, True, False]]),
                "fate": torch.tensor([[0.35, 0.85, 0.95, 0.35]]),
                "drawn": torch.tensor([[5, 6, 7, 8]]),
            },
            hint="The first word is masked, the second changed, the third stays, and the fourth is "
            "not chosen.",
        ),
        Case(label="nothing is chosen", given={"chosen": torch.zeros(5, 11, dtype=torch.bool)}),
        Case(label="all are chosen", given={"chosen": torch.ones(5, 11, dtype=torch.bool)}),
        STRIDED,
    ),
    misconceptions=(
        Misconception(
            "words are hidden that were not chosen. The fate matters only where a word is asked "
            "for",
            (_rule(_below, _between, where=torch.ones_like),),
        ),
        Misconception(
            "words are hidden where none is chosen, and the chosen ones stand there: True means "
            "that a word is asked for",
            (_rule(_below, _between, where=torch.logical_not),),
        ),
        Misconception(
            "every chosen word becomes the mask. Two of ten must not: the model would learn "
            "nothing of the words that it sees",
            (_rule(_all, _none),),
        ),
        Misconception(
            "what is not masked is always changed, so no chosen word stays as it was",
            (_rule(_below, lambda fate: fate >= 0.8),),
        ),
        Misconception(
            "what is not masked always stays, so no chosen word is ever changed",
            (_rule(_below, _none),),
        ),
        Misconception(
            "the last two tenths have changed places: from 0.8 to 0.9 a word is changed, above it "
            "stays",
            (_rule(_below, lambda fate: fate >= 0.9),),
        ),
        Misconception(
            "masked and changed have changed places: eight of ten become the mask, one is changed",
            (
                _rule(lambda fate: fate >= 0.9, lambda fate: fate < 0.8),
                _rule(_between, _below),
            ),
        ),
        Misconception(
            "the shares are the wrong way round: the mask stands where the fate is 0.8 and more",
            (_rule(lambda fate: fate >= 0.8, _none), _rule(lambda fate: fate > 0.2, _none)),
        ),
    ),
    hint="Make one boolean tensor for each fate, (batch, length), and with `chosen &` before it. "
    "torch.where takes the drawn word where its condition holds.",
    solution=hide_words,
)
