"""`hide_words` (chapter 18)."""

from __future__ import annotations

import torch
from answers import right_answers, solve, unknown_answers, wrong_answers

from attncourse.data.masking import mask_tokens


def test_the_solution_has_the_shares_of_the_packages_rule():
    tokens = torch.full((400, 50), 3)
    generator = torch.Generator().manual_seed(0)
    fate = torch.rand(tokens.shape, generator=generator)
    chosen = torch.rand(tokens.shape, generator=generator) < 0.15
    ours = solve("hide_words", tokens, chosen, fate, torch.full_like(tokens, 5), 9)
    batch = mask_tokens(tokens, vocab_size=10, mask_id=9, specials=(0,), generator=generator)
    for found, where in ((ours, chosen), (batch.tokens, batch.chosen)):
        assert torch.equal(found[~where], tokens[~where])
        assert abs((found == 9)[where].double().mean() - 0.8) < 0.03
        assert 0.08 < ((found != 9) & (found != 3))[where].double().mean() < 0.12


# -- answers as readers write them -----------------------------------------------------------------


def in_two_wheres(tokens, chosen, fate, drawn, mask_id):
    fated = torch.where(fate < 0.8, mask_id, torch.where(fate < 0.9, drawn, tokens))
    return torch.where(chosen, fated, tokens)


def by_places(tokens, chosen, fate, drawn, mask_id):
    read = tokens.clone()
    read[chosen & (fate < 0.9)] = drawn[chosen & (fate < 0.9)]
    read[chosen & (fate < 0.8)] = mask_id
    return read


def everywhere(tokens, chosen, fate, drawn, mask_id):
    return torch.where(fate < 0.8, mask_id, torch.where(fate < 0.9, drawn, tokens))


def all_masked(tokens, chosen, fate, drawn, mask_id):
    return torch.where(chosen, mask_id, tokens)


def never_kept(tokens, chosen, fate, drawn, mask_id):
    return torch.where(chosen, torch.where(fate < 0.8, mask_id, drawn), tokens)


def half_and_half(tokens, chosen, fate, drawn, mask_id):
    return torch.where(chosen & (fate < 0.5), mask_id, tokens)


test_a_right_answer_in_other_words_passes = right_answers("hide_words", [in_two_wheres, by_places])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "hide_words",
    [
        (everywhere, "words are hidden that were not chosen"),
        (all_masked, "every chosen word becomes the mask"),
        (never_kept, "what is not masked is always changed"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "hide_words", [half_and_half]
)
