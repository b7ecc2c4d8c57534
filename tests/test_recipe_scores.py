"""attncourse.recipes.scores: how a trained translator is judged."""

from __future__ import annotations

import pytest
import torch
from small_recipes import SMALL

from attncourse.data.translation import translation_pairs
from attncourse.recipes import (
    train,
)
from attncourse.recipes.scores import of_links, of_part, teacher_forced
from attncourse.translator import Translator


class Oracle(Translator):
    """Writes what it was told to, whatever its model would."""

    def __init__(self, run, answers):
        super().__init__(run.model, run.source, run.target)
        self.answers = answers

    def words(self, sentences):
        return [list(self.answers[tuple(sentence)]) for sentence in sentences]


@pytest.fixture
def run(tmp_path, small_corpus):
    return train(SMALL, tmp_path, device="cpu", progress=False)[0]


def test_matches_are_counted_by_length(run):
    pairs = translation_pairs(train=300, validation=13, composition=0, length=0).validation
    answers = {pair.source: pair.target for pair in pairs}
    scores = of_part(Oracle(run, answers), pairs)
    assert scores["exact_match"] == 1
    wrong = next(pair for pair in pairs if len(pair.source) > 16)
    answers[wrong.source] = (*wrong.target, "!")
    scores = of_part(Oracle(run, answers), pairs)
    long = [pair for pair in pairs if len(pair.source) > 16]
    assert scores["exact_match"] == round(12 / 13, 4)
    assert scores["above_16_words"]["sentences"] == len(long)
    assert scores["above_16_words"]["exact_match"] == round(1 - 1 / len(long), 4)
    assert sum(part["sentences"] for part in scores["by_length"].values()) == 13
    for name, part in scores["by_length"].items():
        low, high = map(int, name.split("-"))
        expected = 1 - (low <= len(wrong.source) <= high) / part["sentences"]
        assert part["exact_match"] == round(expected, 4)


def test_right_tokens_are_those_of_the_sentence_alone(run):
    pairs = translation_pairs(train=300, validation=13, composition=0, length=0).validation
    tallies, links = teacher_forced(run.translator, pairs)
    for pair, tally, linked in zip(pairs, tallies, links, strict=True):
        ids = torch.tensor([[1, *run.target.encode(pair.target), 2]])
        source = torch.tensor([run.source.encode(pair.source)])
        with torch.no_grad():
            likeliest = run.model(source, ids[:, :-1]).argmax(-1)
        assert tally.hits == (likeliest == ids[:, 1:]).sum()
        assert tally.tries == len(pair.target) + 1
        assert {target for _, target in linked} == set(range(len(pair.target)))
        assert max(source for source, _ in linked) < len(pair.source)


def test_the_gold_links_have_no_error():
    pairs = translation_pairs(train=50, validation=0, composition=0, length=0).train
    scores = of_links([pair.sure for pair in pairs], pairs)
    assert scores["error_rate"] == 0
    assert scores["content_words"] == 1
    nowhere = of_links([frozenset((0, t) for _, t in pair.sure) for pair in pairs], pairs)
    assert nowhere["content_words"] < 0.5
