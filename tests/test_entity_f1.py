"""attncourse.metrics.entities: exact spans, held against nervaluate."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nervaluate import Evaluator
from support import refused

from attncourse.data.bio import Span, spans_to_tags
from attncourse.metrics import EntityTally, entity_counts, entity_f1_interval, entity_tally

KINDS = ("person", "place", "company")


@st.composite
def entities(draw, length: int):
    """Spans in so many words."""
    place, spans = 0, []
    while place < length:
        place += draw(st.integers(0, 2))
        end = min(length, place + draw(st.integers(1, 3)))
        if place < end:
            spans.append(Span(place, end, draw(st.sampled_from(KINDS))))
        place = end
    return spans, length


@st.composite
def two_systems(draw):
    """What a model marked and what is right, in some texts."""
    lengths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    return [[draw(entities(n)) for n in lengths] for _ in range(2)]


@pytest.mark.equals("metrics.entity_tally", "nervaluate.Evaluator", within=1e-12)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # `same` holds no state
@given(case=two_systems())
def test_every_number_is_nervaluates(case, same):
    hypotheses, references = ([spans_to_tags(*text) for text in texts] for texts in case)
    theirs = Evaluator(references, hypotheses, tags=list(KINDS), loader="list").evaluate()
    theirs = theirs["overall"]["strict"]
    ours = entity_tally(hypotheses, references)
    assert (ours.right, ours.found, ours.wanted) == (
        theirs.correct,
        theirs.actual,
        theirs.possible,
    )
    for name in ("precision", "recall", "f1"):
        same(float(getattr(ours, name)), float(getattr(theirs, name)))


def test_half_a_name_a_wrong_kind_and_a_name_too_much_are_wrong():
    # wanted: 0-2 person, 3-4 place, 5-6 place; found: 0-1 person, 3-4 company, 5-6 place, 6-7 place
    wanted = ["B-person", "I-person", "O", "B-place", "O", "B-place", "O"]
    found = ["B-person", "O", "O", "B-company", "O", "B-place", "B-place"]
    assert entity_counts([found], [wanted]).tolist() == [[1, 4, 3]]
    tally = entity_tally([found], [wanted])
    assert (tally.precision, tally.recall) == (1 / 4, 1 / 3)
    assert tally.f1 == 2 / 7


def test_a_corpus_is_summed_before_it_is_divided():
    texts = [["B-place"], ["B-place", "O", "B-place", "O"]]
    marked = [["B-place"], ["O", "B-place", "O", "B-place"]]
    assert entity_tally(marked, texts).f1 == 2 / 6  # the mean of the texts' would be 1/2
    assert sum([EntityTally(1, 1, 1), EntityTally(0, 2, 2)], EntityTally()).f1 == 2 / 6


def test_nothing_found_and_nothing_wanted_is_no_error():
    assert EntityTally().f1 == EntityTally().precision == EntityTally().recall == 0
    assert entity_tally([["O"]], [["B-place"]]) == EntityTally(0, 0, 1)


def test_an_interval_holds_the_score_and_narrows_with_more_texts():
    wanted = [["B-place", "O"]] * 300
    marked = [["B-place", "O"]] * 180 + [["O", "B-place"]] * 120
    few, many = (entity_f1_interval(marked[::step], wanted[::step]) for step in (10, 1))
    assert many.value == few.value == pytest.approx(0.6)
    # The standard error of a share of 0.6 among 300 is 0.028; 1.96 of them on each side.
    assert (many.low, many.high) == (pytest.approx(0.545, abs=0.02), pytest.approx(0.655, abs=0.02))
    assert many.high - many.low < (few.high - few.low) / 2


def test_a_lead_is_taken_on_the_same_texts():
    wanted = [["B-place"], ["B-person"]] * 50
    one = [["B-place"], ["O"]] * 50
    assert entity_f1_interval(one, wanted, baseline=one) == (0, 0, 0)
    lead = entity_f1_interval(wanted, wanted, baseline=one)
    assert lead.value == pytest.approx(1 - 2 / 3)
    assert lead.low > 0.2


def test_the_same_generator_gives_the_same_interval():
    wanted, marked = [["B-place"], ["B-person"]] * 9, [["B-place"], ["O"]] * 9
    first, again = (
        entity_f1_interval(marked, wanted, generator=torch.Generator().manual_seed(3))
        for _ in range(2)
    )
    assert first == again


def test_what_cannot_be_counted_is_refused(own_errors):
    with refused(ValueError, "tags[0]", "'X'"):
        entity_counts([["X"]], [["O"]])
    with refused(ValueError, "I-place", "did not begin"):
        entity_counts([["I-place"]], [["O"]])
    with refused(ValueError, "hypotheses[1]", "references[1]", "1 and 2"):
        entity_counts([["O"], ["O"]], [["O"], ["O", "O"]])
    with refused(ValueError, "1 and 2"):
        entity_counts([["O"]], [["O"], ["O"]])
    with refused(TypeError, "hypotheses", "str"):
        entity_counts("O", [["O"]])
    with refused(TypeError, "tags", "str"):
        entity_counts(["O"], [["O"]])
