"""`assign_queries` (chapter 16)."""

from __future__ import annotations

import torch
from answers import right_answers, solve, unknown_answers, wrong_answers
from scipy.optimize import linear_sum_assignment


def test_the_solution_costs_what_scipy_s_does():
    g = torch.Generator().manual_seed(0)
    for queries, objects in ((5, 3), (4, 4), (7, 1)):
        cost = torch.rand(queries, objects, generator=g)
        rows, columns = linear_sum_assignment(cost.numpy())
        found = solve("assign_queries", cost)
        assert found[columns].tolist() == rows.tolist()


# -- answers as readers write them -----------------------------------------------------------------


def by_scipy(cost):
    return torch.as_tensor(linear_sum_assignment(cost.numpy().T)[1])


def by_search(cost):
    queries, objects = cost.shape
    best, found = float("inf"), []

    def place(chosen, paid):
        nonlocal best, found
        if len(chosen) == objects:
            if paid < best:
                best, found = paid, chosen
            return
        for query in set(range(queries)) - set(chosen):
            place([*chosen, query], paid + cost[query, len(chosen)].item())

    place([], 0.0)
    return torch.tensor(found)


def rows_of_scipy(cost):
    return torch.as_tensor(linear_sum_assignment(cost.numpy())[0])


def columns_of_scipy(cost):
    return torch.as_tensor(linear_sum_assignment(cost.numpy())[1])


def each_for_itself(cost):
    return torch.stack([column.argmin() for column in cost.T])


def upside_down(cost):
    return cost.shape[0] - 1 - by_scipy(cost)


test_a_right_answer_in_other_words_passes = right_answers("assign_queries", [by_scipy, by_search])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "assign_queries",
    [
        (rows_of_scipy, "in the order of their numbers"),
        (columns_of_scipy, "these are the objects of the chosen queries"),
        (each_for_itself, "each object takes the query that is cheapest for it"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "assign_queries", [upside_down]
)
