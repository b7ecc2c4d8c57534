"""`induction_score` (chapter 18)."""

from __future__ import annotations

import torch
from answers import right_answers, solve, unknown_answers, wrong_answers

WEIGHTS = torch.tensor(
    [[[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25, 0.75, 0, 0], [0, 0.25, 0.25, 0.5]]],
    dtype=torch.float64,
)


def test_a_row_by_hand():
    # 1 2 1 1: query 2 was seen at 0, so key 1 counts, 0.75. Query 3 was seen at 0 and 2, so keys 1
    # and 3 count, 0.75.
    assert solve("induction_score", WEIGHTS, torch.tensor([[1, 2, 1, 1]])).item() == 0.75


# -- answers as readers write them -----------------------------------------------------------------


def by_loops(weights, tokens):
    found = []
    for row in range(tokens.size(0)):
        for query in range(tokens.size(1)):
            seen = [key for key in range(query) if tokens[row, key] == tokens[row, query]]
            if seen:
                found.append(sum(weights[row, query, key + 1] for key in seen))
    return torch.stack(found).mean()


def by_predecessors(weights, tokens):
    before = torch.cat([torch.zeros_like(tokens[:, :1]), tokens[:, :-1]], 1)
    place = torch.arange(tokens.size(1))
    after = (before[:, None] == tokens[..., None]) & (place <= place[:, None])
    total, count = (weights * after).sum(), after.any(-1).sum()
    return total / count


def on_itself(weights, tokens):
    earlier = (tokens[:, :, None] == tokens[:, None]).tril(-1)
    return (weights * earlier).sum(-1)[earlier.any(-1)].mean()


def over_all(weights, tokens):
    earlier = (tokens[:, :, None] == tokens[:, None]).tril(-1)
    after = torch.roll(earlier, 1, dims=-1)
    return (weights * after).sum(-1).mean()


def largest(weights, tokens):
    earlier = (tokens[:, :, None] == tokens[:, None]).tril(-1)
    after = torch.roll(earlier, 1, dims=-1)
    return (weights * after).amax(-1)[earlier.any(-1)].mean()


test_a_right_answer_in_other_words_passes = right_answers(
    "induction_score", [by_loops, by_predecessors]
)
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "induction_score",
    [(on_itself, "you measure the weight on the earlier"), (over_all, "you count queries whose")],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "induction_score", [largest]
)
