"""attncourse.training.history: the record of a training."""

from __future__ import annotations

import json

import pytest
from small_training import QUIET, small_batches, small_model
from support import refused

from attncourse.training import History, fit


def test_the_record_goes_to_json_and_back():
    history = fit(small_model(), small_batches(), steps=9, validation=small_batches(), **QUIET)
    text = history.to_json()
    assert History.from_json(text) == history
    assert json.loads(text)["step"] == list(range(1, 10))
    assert History.from_json(History().to_json()) == History()
    assert (History().best_step, History().since_best) == (None, 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no", ["JSON"]),
        ("[1]", ["must hold", "got list"]),
        ('{"step": [1]}', ["must hold", "got step"]),
        (History(step=[1]).to_json(), ["lists of one length", "'step': 1", "'loss': 0"]),
        (History().to_json().replace("[]", "7", 1), ["lists of one length"]),
    ],
)
def test_what_is_no_record_is_refused(text, words):
    with refused(ValueError, *words):
        History.from_json(text)


def test_the_time_goes_on():
    seconds = fit(small_model(), small_batches(), steps=5, **QUIET).seconds
    assert seconds == sorted(seconds)
    assert seconds[0] > 0
