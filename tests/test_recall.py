"""attncourse.data.recall: pairs of a key and a value, then questions."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from support import refused

from attncourse.data.recall import KEYS, VALUES, Recall, RecallBatches, draw_recall

SIZES = {"pairs": 5, "questions": 3}


def drawn(count: int = 7, seed: int = 0, **sizes):
    return draw_recall(count, **SIZES | sizes, generator=torch.Generator().manual_seed(seed))


def test_answers_and_distances_by_hand():
    keys, values = torch.tensor([[8, 2, 5]]), torch.tensor([[10, 11, 12]])
    recall = Recall(keys, values, torch.tensor([[2, 0]]))
    assert recall.questions.tolist() == [[5, 8]]
    assert recall.answers.tolist() == [[12, 10]]
    # tokens 0, 1, 2 are pairs, 3 and 4 the questions: 3 - 2 and 4 - 0
    assert recall.distances.tolist() == [[1, 4]]
    assert len(recall) == 1


def test_the_same_seed_draws_the_same_and_another_seed_others():
    first, again, other = drawn(), drawn(), drawn(seed=1)
    for name in ("keys", "values", "asked"):
        assert torch.equal(getattr(first, name), getattr(again, name))
        assert not torch.equal(getattr(first, name), getattr(other, name))


def test_no_key_stands_twice_and_all_there_are_occur():
    recall = drawn(400)
    assert all(len(set(keys)) == 5 for keys in recall.keys.tolist())
    assert set(recall.keys.flatten().tolist()) == set(range(KEYS))
    assert set(recall.values.flatten().tolist()) == set(range(VALUES))
    assert set(recall.asked.flatten().tolist()) == set(range(5))
    assert sorted(drawn(1, pairs=KEYS).keys[0].tolist()) == list(range(KEYS))


def test_a_key_tells_nothing_of_its_value():
    recall = drawn(4000)
    values = recall.values[recall.keys == 3]
    counts = torch.bincount(values, minlength=VALUES)
    assert counts.max() < 3 * len(values) / VALUES


def test_batches_are_drawn_anew_from_their_generator():
    batches = RecallBatches(7, **SIZES, generator=torch.Generator().manual_seed(0))
    first, second = islice(batches, 2)
    assert [x.shape for x in first] == [(7, 5), (7, 5), (7, 3), (7, 3)]
    assert not torch.equal(first[0], second[0])
    alone = drawn()
    wanted = alone.keys, alone.values, alone.questions, alone.answers
    assert all(torch.equal(x, y) for x, y in zip(first, wanted, strict=True))
    assert isinstance(RecallBatches(7, **SIZES).generator, torch.Generator)


@pytest.mark.parametrize("name", ["pairs", "questions"])
def test_what_cannot_be_drawn_is_refused(own_errors, name):
    with refused(ValueError, name, "positive", "0"):
        drawn(**{name: 0})
    with refused(TypeError, name, "integer", "float"):
        drawn(**{name: 2.0})
    with refused(ValueError, "count", "positive", "-1"):
        drawn(-1)
    with refused(ValueError, "pairs", "64", "65"):
        drawn(pairs=65)
