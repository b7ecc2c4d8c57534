"""Steps of beam search that go wrong in one way each (chapter 12)."""

from __future__ import annotations

import torch


def added(totals, log_probabilities):
    return totals[:, None] + log_probabilities


def largest(scores, beam_size):
    return scores.flatten().topk(beam_size)


def smallest(scores, beam_size):
    return scores.flatten().topk(beam_size, largest=False)


def divided(index, beam, vocabulary):
    return index // vocabulary, index % vocabulary


def found(best, scores, totals, log_probabilities, index):
    return best


def step(score=added, choose=largest, split=divided, give=found):
    """A step, each choice open to be wrong."""

    def function(log_probabilities, totals, beam_size):
        scores = score(totals, log_probabilities)
        best, index = choose(scores, beam_size)
        given = give(best, scores, totals, log_probabilities, index)
        return given, *split(index, *log_probabilities.shape)

    return function


def without_totals(totals, log_probabilities):
    return log_probabilities


def of_the_step(best, scores, totals, log_probabilities, index):
    return log_probabilities.flatten()[index]


def of_the_parent(best, scores, totals, log_probabilities, index):
    return totals[index // log_probabilities.shape[1]]


def really(best, scores, totals, log_probabilities, index):
    return added(totals, log_probabilities).flatten()[index]


def each_its_best(beam_size_too):
    def function(log_probabilities, totals, beam_size):
        best, token = added(totals, log_probabilities).max(-1)
        parent = torch.arange(len(totals))
        if beam_size_too:
            best, parent = best.topk(min(beam_size, len(totals)))
            token = token[parent]
        return best, parent, token

    return function


def beam_by_beam(log_probabilities, totals, beam_size):
    best, token = added(totals, log_probabilities).topk(beam_size)
    return best, torch.arange(len(totals))[:, None].expand_as(token), token


def beam_by_beam_flat(log_probabilities, totals, beam_size):
    return tuple(part.flatten() for part in beam_by_beam(log_probabilities, totals, beam_size))


def only_the_best(log_probabilities, totals, beam_size):
    parent = totals.argmax()
    best, token = (totals[parent] + log_probabilities[parent]).topk(beam_size)
    return best, parent.expand_as(token), token


def the_best_first(log_probabilities, totals, beam_size):
    parent = totals.topk(min(beam_size, len(totals))).indices
    best, index = added(totals[parent], log_probabilities[parent]).flatten().topk(beam_size)
    row, token = divided(index, *log_probabilities.shape)
    return best, parent[row], token


def in_another_order(arrange):
    def function(log_probabilities, totals, beam_size):
        best, index = added(totals, log_probabilities).flatten().topk(beam_size)
        order = arrange(best, index)
        return best[order], *divided(index[order], *log_probabilities.shape)

    return function
