"""Find the bug (chapter 16): one vector for all queries, so all of them report the same."""

from __future__ import annotations

from attncourse.exercises.ch16 import _broken
from attncourse.exercises.judging import (
    BFLOAT16,
    FLOAT64,
    STRIDED,
    Case,
    Exercise,
    Input,
    Misconception,
)


def ask_each(queries, features):
    positions = features.flatten(2)  # (batch, width, position)
    scores = queries @ positions  # (batch, query, position)
    weights = scores.softmax(-1)
    return weights @ positions.mT  # (batch, query, width)


def _asked(weigh):
    """The function with its scores, (batch, query, position), turned into weights otherwise."""

    def function(queries, features):
        positions = features.flatten(2)
        return weigh(queries @ positions) @ positions.mT

    return function


def _first_query_for_all(queries, features):
    return ask_each(queries[:1].expand_as(queries), features)


def _mean_query_for_all(queries, features):
    return ask_each(queries.mean(0, keepdim=True).expand_as(queries), features)


def _answers_averaged(queries, features):
    answers = ask_each(queries, features)
    return answers.mean(1, keepdim=True).expand_as(answers)


def _plain_mean(queries, features):
    mean = features.flatten(2).mean(-1)
    return mean[:, None].expand(-1, len(queries), -1)


EXERCISE = Exercise(
    name="ask_each",
    chapter="16",
    signature="ask_each(queries, features) -> (batch, query, width)",
    inputs=(
        Input("queries", "query width"),
        Input("features", "batch width rows columns"),
    ),
    sizes={"query": 11, "batch": 2, "width": 3, "rows": 5, "columns": 7},
    cases=(
        Case(label="four queries"),
        Case(label="one picture", sizes={"batch": 1}),
        Case(label="as many queries as features", sizes={"query": 3}),
        Case(label="as many queries as positions", sizes={"query": 6, "rows": 2, "columns": 3}),
        Case(label="as many pictures as queries", sizes={"batch": 11}),
        Case(label="one query", sizes={"query": 1}),
        Case(label="large queries", scale={"queries": 30.0}),
        STRIDED,
        FLOAT64,
        BFLOAT16,
    ),
    misconceptions=(
        Misconception(
            "all queries get the same answer, so all report the same object. The scores are joined "
            "over the queries before the softmax; each query needs weights of its own",
            (_broken.ask_each, _mean_query_for_all),
        ),
        Misconception(
            "all queries get the same answer: their answers are averaged",
            (_answers_averaged,),
        ),
        Misconception(
            "all queries get the answer of the first",
            (_first_query_for_all,),
        ),
        Misconception(
            "your softmax runs over the queries: they share out each position. Each query shares "
            "out its weight over the positions, the last axis of the scores",
            (_asked(lambda scores: scores.softmax(1)),),
        ),
        Misconception(
            "your softmax runs over the pictures, so one picture changes another's answer",
            (_asked(lambda scores: scores.softmax(0)),),
        ),
        Misconception(
            "the scores are not turned into weights: the softmax is missing",
            (_asked(lambda scores: scores),),
        ),
        Misconception(
            "this is a plain mean: every position gets the same weight, whatever is asked",
            (_plain_mean,),
        ),
    ),
    hint="Write down the shape of the scores, axis by axis. Which axis has gone when the softmax "
    "comes?",
    solution=ask_each,
    broken=_broken.ask_each,
)
