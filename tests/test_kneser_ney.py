"""The n-gram model (chapter 18)."""

from __future__ import annotations

import math
import random

import pytest

from attncourse.data.vocabulary import EOS
from attncourse.language import KneserNey

SENTENCES = [
    [random.Random(i).choice([4, 5, 5, 6, 7]) for _ in range(3 + i % 5)] for i in range(60)
]
WORDS = (EOS, 4, 5, 6, 7, 8)  # 8 never comes


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("history", [[], [5], [5, 5, 6], [8, 4], [6, 8]])
def test_the_probabilities_add_up_to_one(order, history):
    model = KneserNey(SENTENCES, order=order, num_words=len(WORDS))
    shares = [model.probability(word, history) for word in WORDS]
    assert sum(shares) == pytest.approx(1, abs=1e-12)
    assert min(shares) > 0


def test_two_sentences_by_hand():
    # Pairs: (bos 4) twice, (4 5) (4 6) (5 eos) (6 eos) once. Four came once and one twice: the
    # discount is 4 / (4 + 2) = 2/3. Before 4, 5 and 6 stands one word each, before eos two: of
    # five 1, 1, 1, 2, so three came once and one twice, and the discount is 3/5.
    model = KneserNey([[4, 5], [4, 6]], order=2, num_words=4)
    alone = (1 - 3 / 5) / 5 + 3 / 5 * 4 / 5 / 4
    assert model.probability(5, []) == pytest.approx(2 / 3 * 1 / 2 * alone)
    assert model.probability(5, [4]) == pytest.approx((1 - 2 / 3) / 2 + 2 / 3 * 2 / 2 * alone)
    # After a word that never came counts only what stands alone.
    assert model.probability(5, [7]) == pytest.approx(alone)


def test_a_word_with_one_neighbour_counts_once_however_often_it_comes():
    sentences = [[4, 5]] * 20 + [[word, 6] for word in range(7, 12)] * 2
    model = KneserNey(sentences, order=2, num_words=9)
    unknown = [99]
    assert model.probability(6, unknown) > 2 * model.probability(5, unknown)


def test_the_perplexity_is_that_of_the_probabilities():
    model = KneserNey(SENTENCES, order=3, num_words=len(WORDS))
    nats = -math.log(model.probability(6, [])) - math.log(model.probability(EOS, [6]))
    assert model.perplexity([[6]]) == pytest.approx(math.exp(nats / 2))


def test_bad_sizes_and_no_sentences_are_refused():
    with pytest.raises(ValueError, match=r"order .*0"):
        KneserNey(SENTENCES, order=0, num_words=5)
    with pytest.raises(ValueError, match="sentences"):
        KneserNey([], order=2, num_words=5)
