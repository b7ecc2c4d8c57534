"""`copy_distribution` (chapter 13)."""

from __future__ import annotations

import torch
from answers import normal, right_answers, solve, unknown_answers, wrong_answers


def test_a_word_that_comes_twice_by_hand():
    weights, source = torch.tensor([[[0.5, 0.25, 0.25]]]), torch.tensor([[4, 2, 4]])
    wanted = torch.tensor([[[0, 0, 0.25, 0, 0.75]]])
    torch.testing.assert_close(solve("copy_distribution", weights, source, 5), wanted)


def test_copies_agree_with_a_loop():
    weights, source = normal(2, 3, 5).softmax(-1), torch.randint(0, 7, (2, 5))
    got = solve("copy_distribution", weights, source, 11)
    torch.testing.assert_close(got, copied_in_a_loop(weights, source, 11))


# -- answers as readers write them -----------------------------------------------------------------


def copied_in_a_loop(weights, source, num_words):
    words = torch.zeros(*weights.shape[:2], num_words, dtype=weights.dtype)
    for b, ids in enumerate(source.tolist()):
        for i, word in enumerate(ids):
            words[b, :, word] += weights[b, :, i]
    return words


def copied_by_scatter_add(weights, source, num_words):
    size = (*weights.shape[:2], num_words)
    places = source.unsqueeze(1).repeat(1, weights.size(1), 1)
    return torch.zeros(size, dtype=weights.dtype).scatter_add_(2, places, weights)


def copied_by_the_last(weights, source, num_words):
    words = torch.zeros(*weights.shape[:2], num_words, dtype=weights.dtype)
    for b, ids in enumerate(source.tolist()):
        for i, word in enumerate(ids):
            words[b, :, word] = weights[b, :, i]
    return words


def copied_by_the_mean(weights, source, num_words):
    counts = torch.zeros(*weights.shape[:2], num_words)
    for b, ids in enumerate(source.tolist()):
        for word in ids:
            counts[b, :, word] += 1
    return copied_in_a_loop(weights, source, num_words) / counts.clamp(min=1).to(weights.dtype)


def copied_from_the_first(weights, source, num_words):
    return copied_in_a_loop(weights, source[0].repeat(len(source), 1), num_words)


test_a_right_answer_in_other_words_passes = right_answers(
    "copy_distribution", [copied_in_a_loop, copied_by_scatter_add]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "copy_distribution",
    [
        (copied_by_the_last, "keeps the weight of one place only"),
        (copied_by_the_mean, "averaged"),
        (copied_from_the_first, "the words of the first one"),
        (lambda *a: torch.softmax(copied_in_a_loop(*a), -1), "softmax of probabilities"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "copy_distribution", [lambda w, s, n: copied_in_a_loop(w, s, n).roll(1, -1)]
)
