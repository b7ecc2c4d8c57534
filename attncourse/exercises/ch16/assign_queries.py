"""An exercise of chapter 16: give each object a query of its own, at the least cost in all."""

from __future__ import annotations

from itertools import permutations

import torch

from attncourse.exercises.judging import Case, Exercise, Input, Misconception


def assign_queries(cost):
    from itertools import permutations

    queries, objects = cost.shape
    every = torch.tensor(list(permutations(range(queries), objects)))  # (way, object)
    paid = cost[every, torch.arange(objects)].sum(-1)  # (way,)
    return every[paid.argmin()]


def _totals(cost):
    queries, objects = cost.shape
    every = torch.tensor(list(permutations(range(queries), objects)))
    return cost[every, torch.arange(objects)].sum(-1).sort().values


def _costs(shape, case, generator):
    """Draw whole costs of which only one assignment is the cheapest, and one the dearest."""
    while True:
        cost = torch.randint(1, 10, shape, generator=generator).float()
        totals = _totals(cost)
        if len(totals) == 1 or (totals[0] < totals[1] and totals[-2] < totals[-1]):
            return cost


def _nearest(cost):
    """Each object takes the query that is cheapest for it, taken or not."""
    return cost.argmin(0)


def _in_turn(cost):
    """The objects choose one after the other, from what is left."""
    left, found = cost.clone(), []
    for thing in range(cost.shape[1]):
        found.append(left[:, thing].argmin())
        left[found[-1]] = torch.inf
    return torch.stack(found)


def _cheapest_first(cost):
    """The cheapest pair of all, then the cheapest of what is left."""
    left, found = cost.clone(), torch.zeros(cost.shape[1], dtype=torch.int64)
    for _ in range(cost.shape[1]):
        query, thing = divmod(left.argmin().item(), cost.shape[1])
        found[thing] = query
        left[query], left[:, thing] = torch.inf, torch.inf
    return found


def _dearest(cost):
    return assign_queries(-cost)


def _by_query(cost):
    """The queries that were chosen, by their numbers and not by their objects."""
    return assign_queries(cost).sort().values


def _objects(cost):
    """For the chosen queries, by their numbers, the objects that they got."""
    return assign_queries(cost).argsort()


def _by_objects_choice(cost):
    """What each query likes best."""
    return cost.argmin(1)


EXERCISE = Exercise(
    name="assign_queries",
    chapter="16",
    signature="assign_queries(cost) -> (object,), int64: the query of each object",
    inputs=(Input("cost", "query object", draw=_costs),),
    sizes={"object": 3, "spare": 2},
    tied={"query": lambda sizes: sizes["object"] + sizes["spare"]},
    cases=(
        # It stands first, where the judge looks for loops with longer inputs: all ways would be
        # too many to try.
        Case(
            label="two objects that want the same query",
            given={"cost": torch.tensor([[1.0, 2.0], [5.0, 9.0], [7.0, 8.0]])},
            hint="Query 0 is the cheapest for both. Add up what each way of sharing out costs.",
        ),
        Case(label="one object", sizes={"object": 1}),
        Case(label="three objects and five queries"),
        Case(label="as many queries as objects", sizes={"spare": 0}),
        Case(label="four objects and six queries", sizes={"object": 4}),
        Case(label="negative costs", scale={"cost": -1.0}),
    ),
    misconceptions=(
        Misconception(
            "each object takes the query that is cheapest for it, so two objects can have the same "
            "one. Every object needs a query of its own",
            (_nearest,),
        ),
        Misconception(
            "the objects choose in turn, and the first one takes what another needs more. What "
            "counts is the sum over all",
            (_in_turn,),
        ),
        Misconception(
            "you take the cheapest pair first, then the cheapest of what is left: that is greedy, "
            "and the last pair can be dear. What counts is the sum over all",
            (_cheapest_first,),
        ),
        Misconception(
            "your assignment costs the most of all, not the least",
            (_dearest,),
        ),
        Misconception(
            "these are the right queries in the order of their numbers: the first is to be that of "
            "object 0. (linear_sum_assignment(cost) gives its pairs sorted by query.)",
            (_by_query,),
        ),
        Misconception(
            "these are the objects of the chosen queries; wanted is the query of each object",
            (_objects,),
        ),
        Misconception(
            "this says which object each query likes best; wanted is the query of each object",
            (_by_objects_choice,),
        ),
    ),
    hint="With so few, try them all: permutations(range(queries), objects) of itertools gives "
    "every way. SciPy's linear_sum_assignment needs no trying.",
    solution=assign_queries,
)
