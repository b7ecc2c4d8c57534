"""`beam_step` (chapter 12)."""

from __future__ import annotations

import pytest
import torch
from answers import normal, right_answers, solve, unknown_answers, wrong_answers

from attncourse.decoding import beam_search
from attncourse.exercises import EXERCISES, check


def test_a_step_of_beam_search_by_hand():
    # The unlikelier beginning has the likelier end: 0.6 * 0.5, 0.4 * 0.9, 0.6 * 0.3
    log_probabilities = torch.tensor([[0.5, 0.3, 0.2], [0.06, 0.04, 0.9]]).log()
    totals = torch.tensor([0.6, 0.4]).log()
    best, parents, tokens = solve("beam_step", log_probabilities, totals, 3)
    assert best.exp().tolist() == pytest.approx([0.36, 0.3, 0.18])
    assert parents.tolist() == [1, 0, 0]
    assert tokens.tolist() == [2, 0, 1]


def test_step_upon_step_is_the_packages_beam_search():
    # No end mark can be written, so the search runs to its length and takes the best.
    table = normal(7, 7)
    table[:, 2] = -torch.inf
    log_probability = table.log_softmax(-1)
    totals, sentences = torch.zeros(1).double(), torch.tensor([[1]])
    for _ in range(5):
        scores = log_probability[sentences[:, -1]]
        totals, parents, tokens = solve("beam_step", scores, totals, 3)
        sentences = torch.cat([sentences[parents], tokens[:, None]], dim=1)
    source = torch.ones(1, 1, dtype=torch.int64)
    marks = {"bos": 1, "eos": 2, "pad": 0, "max_length": 5, "beam_size": 3}
    found = beam_search(Chain(table), source, **marks)
    assert found.tokens[0].tolist() == sentences[0, 1:].tolist()
    assert found.log_probability.item() == pytest.approx(totals[0].item())


def test_no_two_continuations_are_equally_likely():
    exercise = EXERCISES["beam_step"]
    for number, case in enumerate(exercise.cases):
        for seed, sizes in ((number, {}), *((0, sizes) for sizes in exercise.smaller(case))):
            log_probabilities, totals, beam_size = exercise.arguments(case, seed, sizes)
            scores = (totals[:, None] + log_probabilities).flatten().sort(descending=True).values
            kept = scores[: beam_size + 1]  # the best that is left out counts as well
            assert len(kept) < 2 or (kept[:-1] - kept[1:]).min() > 1e-3
            if log_probabilities.is_floating_point():
                torch.testing.assert_close(log_probabilities.exp().sum(-1), torch.ones_like(totals))


def test_an_ended_hypothesis_is_never_among_the_best():
    exercise = EXERCISES["beam_step"]
    (case,) = (case for case in exercise.cases if case.mask == "ended")
    for seed in range(50):
        totals, *_ = exercise.solution(*exercise.arguments(case, seed))
        assert totals.isfinite().all()


def test_a_search_needs_no_gradient_and_is_promised_none():
    verdict = check("beam_step", torch.no_grad()(beam_by_sorting))
    assert verdict.passed, verdict
    assert "gradients" not in verdict.message


def test_the_order_in_memory_and_the_precision_vary():
    cases = EXERCISES["beam_step"].cases
    assert any(case.strided for case in cases)
    assert {torch.float32, torch.float64} <= {case.dtype for case in cases}


# -- answers as readers write them -----------------------------------------------------------------


class Chain:
    """A model whose next token depends on the last one alone."""

    training = False

    def __init__(self, table):
        self.table = table  # (last, vocabulary), logits

    def start(self, source, source_mask):
        return source[:, :1]

    def step(self, tokens, state):
        return self.table[tokens], state

    def eval(self):
        return self

    def train(self, mode=True):
        return self


def beam_by_sorting(log_probabilities, totals, beam_size):
    scores = (log_probabilities + totals.unsqueeze(1)).reshape(-1)
    index = scores.argsort(descending=True)[:beam_size]
    parents, tokens = torch.unravel_index(index, log_probabilities.shape)
    return scores[index], parents, tokens


def beam_in_two_rounds(log_probabilities, totals, beam_size):
    each = min(beam_size, log_probabilities.size(1))
    scores, tokens = (log_probabilities + totals[:, None]).topk(each)
    best, index = scores.view(-1).topk(beam_size)
    return best, torch.div(index, each, rounding_mode="floor"), tokens.view(-1)[index]


def _beam(score, split=lambda index, shape: (index // shape[1], index % shape[1]), sign=1):
    def answer(log_probabilities, totals, beam_size):
        scores = score(log_probabilities, totals[:, None]).reshape(-1)
        index = (sign * scores).topk(beam_size).indices
        return scores[index], *split(index, log_probabilities.shape)

    return answer


def _added(log_probabilities, totals):
    return log_probabilities + totals


def beam_ranked_by_the_step(log_probabilities, totals, beam_size):
    index = log_probabilities.flatten().topk(beam_size).indices
    parents, tokens = torch.unravel_index(index, log_probabilities.shape)
    return totals[parents] + log_probabilities[parents, tokens], parents, tokens


def beam_totals_along_the_vocabulary(log_probabilities, totals, beam_size):
    return beam_by_sorting(log_probabilities + totals, totals * 0, beam_size)


def beam_by_beam(log_probabilities, totals, beam_size):
    scores, tokens = (log_probabilities + totals[:, None]).topk(beam_size, dim=1)
    return scores, torch.arange(len(totals)).unsqueeze(1).expand(-1, beam_size), tokens


def beam_best_of_each(log_probabilities, totals, beam_size):
    scores, tokens = torch.max(log_probabilities + totals[:, None], dim=-1)
    return scores, torch.arange(len(scores)), tokens


def beam_gives_the_step(log_probabilities, totals, beam_size):
    _, parents, tokens = beam_by_sorting(log_probabilities, totals, beam_size)
    return log_probabilities[parents, tokens], parents, tokens


test_a_right_answer_in_other_words_passes = right_answers(
    "beam_step", [beam_by_sorting, beam_in_two_rounds]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "beam_step",
    [
        (_beam(lambda scores, totals: scores), "the totals are not added"),
        (beam_ranked_by_the_step, "the totals are not added"),
        (beam_totals_along_the_vocabulary, "the totals lie along the vocabulary"),
        (beam_by_beam, "chosen in each hypothesis for itself"),
        (beam_best_of_each, "chosen in each hypothesis for itself"),
        (_beam(_added, lambda i, shape: (i % shape[1], i // shape[1])), "are exchanged"),
        (_beam(_added, lambda i, shape: (i // shape[0], i % shape[0])), "is divided by"),
        (_beam(_added, lambda i, shape: (i // shape[1], i)), "passed off as a token"),
        (beam_gives_the_step, "the totals that you return"),
        (_beam(torch.mul), "logarithms are multiplied"),
        (_beam(lambda scores, totals: totals + scores.exp()), "are mixed"),
        (_beam(lambda scores, totals: (totals + scores).exp()), "leave the logarithms"),
        (_beam(_added, sign=-1), "the worst are kept"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "beam_step", [lambda scores, totals, k: beam_by_sorting(scores, 0.5 * totals, k)]
)
