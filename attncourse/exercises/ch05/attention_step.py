"""An exercise of chapter 05: what a decoder does before each word."""

from __future__ import annotations

from dataclasses import replace

import torch

from attncourse.exercises.judging import STRIDED, Case, Input, Misconception, Several, allowed


def attention_step(state, memory, mask, query_weight, key_weight, output_weight):
    query = (state @ query_weight.mT).unsqueeze(1)  # (batch, 1, hidden)
    key = memory @ key_weight.mT  # (batch, source, hidden)
    scores = torch.tanh(query + key) @ output_weight  # (batch, source)
    weights = torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=-1)
    context = (weights.unsqueeze(-1) * memory).sum(1)  # (batch, dim)
    return context, weights


def _score(query, key, vector):
    return torch.tanh(query + key) @ vector


def _weigh(scores, mask):
    return scores.masked_fill(~mask, -torch.inf).softmax(-1)


def _read(weights, memory, key):
    return (weights.unsqueeze(-1) * memory).sum(1), weights


def _step(score=_score, weigh=_weigh, read=_read, expand=lambda query: query.unsqueeze(1)):
    """A step of attention, each choice open to be wrong."""

    def function(state, memory, mask, query_weight, key_weight, output_weight):
        query, key = expand(state @ query_weight.mT), memory @ key_weight.mT
        return read(weigh(score(query, key, output_weight), mask), memory, key)

    return function


def _added_backwards(query, key, vector):
    return torch.tanh(key + query) @ vector


def _late(scores, mask):
    return scores.softmax(-1) * mask


def _too_late(scores, mask):
    weights = scores.softmax(-1) * mask
    return weights / weights.sum(-1, keepdim=True)


def _untransposed(state, memory, mask, query_weight, key_weight, output_weight):
    return attention_step(state, memory, mask, query_weight.mT, key_weight.mT, output_weight)


def _row(weights, memory, key):
    return weights.unsqueeze(1) @ memory, weights


def _scores_kept(state, memory, mask, query_weight, key_weight, output_weight):
    query, key = (state @ query_weight.mT).unsqueeze(1), memory @ key_weight.mT
    scores = _score(query, key, output_weight).masked_fill(~mask, -torch.inf)
    return _read(scores.softmax(-1), memory, key)[0], scores


OTHER_SCORES = (
    lambda q, k, v: (q + k) @ v,
    lambda q, k, v: (torch.tanh(q) + torch.tanh(k)) @ v,
)

EXERCISE = Several(
    name="attention_step",
    chapter="05",
    signature="attention_step(state, memory, mask, query_weight, key_weight, output_weight) "
    "-> context (batch, dim), weights (batch, source)",
    parts=("context", "weights"),
    inputs=(
        Input("state", "batch query_dim"),
        Input("memory", "batch source dim"),
        Input("mask", "batch source", draw=allowed),
        Input("query_weight", "hidden query_dim"),
        Input("key_weight", "hidden dim"),
        Input("output_weight", "hidden"),
    ),
    sizes={"batch": 3, "source": 5, "query_dim": 2, "dim": 7, "hidden": 11},
    cases=(
        Case(label="a padded batch", mask="random"),
        Case(label="one sentence", mask="random", sizes={"batch": 1}),
        Case(
            label="as many sentences as tokens",
            mask="random",
            sizes={"batch": 5, "source": 5},
            hint="Ask of each axis whether it is sentences or tokens: their lengths agree here, "
            "so torch cannot tell them apart.",
        ),
        Case(
            label="all widths equal",
            mask="random",
            sizes={"query_dim": 3, "dim": 3, "hidden": 3},
        ),
        Case(
            label="large scores",
            mask="random",
            scale={"output_weight": 100.0},
            hint="Softmax does not change when the largest allowed score of a row is subtracted "
            "first; torch.softmax does so.",
        ),
        replace(STRIDED, mask="random"),
        Case(label="float64", mask="random", dtype=torch.float64),
        Case(label="bfloat16", mask="random", dtype=torch.bfloat16),
    ),
    misconceptions=(
        Misconception(
            "padding is read: the mask has no effect. Padded tokens get a score of minus infinity",
            (
                _step(weigh=lambda scores, mask: scores.softmax(-1)),
                *(_step(score, lambda scores, mask: scores.softmax(-1)) for score in OTHER_SCORES),
            ),
        ),
        Misconception(
            "the mask comes after the softmax, so the weights that are left do not sum to one. "
            "Mask the scores, before",
            (_step(weigh=_late),),
        ),
        Misconception(
            "you mask after the softmax and divide again. Where padding scored far the highest, "
            "nothing is left to divide: mask the scores, before",
            (
                _step(weigh=_too_late),
                _step(weigh=lambda scores, mask: _too_late(scores, mask).nan_to_num(0.0)),
            ),
        ),
        Misconception(
            "the mask is added to the scores, where True counts as 1. A mask that is boolean takes "
            "away: scores.masked_fill(~mask, -torch.inf)",
            (_step(weigh=lambda scores, mask: (scores + mask).softmax(-1)),),
        ),
        Misconception(
            'your mask is the other way round: True means "may attend"',
            (
                _step(weigh=lambda scores, mask: _weigh(scores, ~mask)),
                _step(weigh=lambda scores, mask: scores.masked_fill(mask, -1e9).softmax(-1)),
                _step(weigh=lambda scores, mask: _weigh(scores, ~mask).nan_to_num(0.0)),
            ),
        ),
        Misconception(
            "masked scores are set to 0, but exp(0) is 1: a score that means never is minus "
            "infinity",
            (
                _step(weigh=lambda scores, mask: (scores * mask).softmax(-1)),
                _step(weigh=lambda scores, mask: scores.masked_fill(~mask, 0.0).softmax(-1)),
            ),
        ),
        Misconception(
            "your softmax runs over the batch, so one sentence takes weight from another; the "
            "weights of a sentence sum to one over its tokens, the last axis",
            (
                _step(weigh=lambda scores, mask: scores.masked_fill(~mask, -torch.inf).softmax(0)),
                _step(weigh=lambda scores, mask: scores.masked_fill(~mask, -1e9).softmax(0)),
                _step(
                    weigh=lambda scores, mask: (
                        scores.masked_fill(~mask, -torch.inf).softmax(0).nan_to_num(0.0)
                    )
                ),
                _step(weigh=lambda scores, mask: scores.softmax(0)),
            ),
        ),
        Misconception(
            "the state has no axis for the tokens, so it meets the wrong one: sentence 2's state "
            "is added to every sentence's token 2, or nothing fits. Give it one, (batch, 1, "
            "hidden)",
            tuple(_step(score, expand=lambda query: query) for score in (_score, _added_backwards)),
        ),
        Misconception(
            "the tanh is missing. Without it the state adds the same number to the score of "
            "every token, and softmax cancels that: what was said no longer matters",
            (_step(OTHER_SCORES[0]),),
        ),
        Misconception(
            "each part has a tanh of its own; add the projections first, then take one tanh. "
            "Else the state cannot change which token is ahead",
            (_step(OTHER_SCORES[1]),),
        ),
        Misconception(
            "the tanh comes after output_weight; it belongs around the sum, before. Outside it "
            "caps every score, and the state cannot change which token is ahead",
            (_step(lambda q, k, v: torch.tanh((q + k) @ v)),),
        ),
        Misconception(
            "your score is a dot product; an additive score adds the projections, takes tanh and "
            "weights the hidden units",
            (
                _step(lambda q, k, v: (q * k).sum(-1)),
                _step(lambda q, k, v: (q * k).sum(-1) / q.shape[-1] ** 0.5),
                _step(lambda q, k, v: (q * k) @ v),
                _step(lambda q, k, v: torch.tanh(q * k) @ v),
            ),
        ),
        Misconception(
            "the hidden units are summed; they are weighted by output_weight",
            (
                _step(lambda q, k, v: torch.tanh(q + k).sum(-1)),
                _step(lambda q, k, v: torch.tanh(q + k).mean(-1)),
            ),
        ),
        Misconception(
            "the context averages the projected keys; what is read is the memory itself",
            (_step(read=lambda weights, memory, key: _read(weights, key, key)),),
        ),
        Misconception(
            "the two stand the other way round: return context, weights",
            (_step(read=lambda weights, memory, key: _read(weights, memory, key)[::-1]),),
        ),
        Misconception(
            "you return the scores in place of the weights",
            (_scores_kept,),
        ),
        Misconception(
            "the context is the memory weighted, but not summed over the tokens",
            (_step(read=lambda weights, memory, key: (weights.unsqueeze(-1) * memory, weights)),),
        ),
        Misconception(
            "the result keeps an axis of length one: the context is (batch, dim), the weights are "
            "(batch, source)",
            (
                _step(read=_row),
                _step(read=lambda w, memory, key: (_read(w, memory, key)[0], w.unsqueeze(-1))),
                _step(read=lambda w, memory, key: (_read(w, memory, key)[0], w.unsqueeze(1))),
                _step(read=lambda w, memory, key: (w.unsqueeze(1) @ memory, w.unsqueeze(1))),
            ),
        ),
        Misconception(
            "the weights are not transposed: they are (hidden, width), so it is "
            "state @ query_weight.mT",
            (_untransposed,),
        ),
    ),
    hint="The state is one query a sentence: give it an axis, (batch, 1, hidden), before it meets "
    "the tokens. The mask is for the scores, and the softmax comes after it.",
    solution=attention_step,
)
