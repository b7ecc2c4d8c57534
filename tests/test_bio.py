"""attncourse.data.bio: tags, and the spans that they mark."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import refused

from attncourse.data.bio import (
    Span,
    may_follow,
    spans_to_tags,
    split_tag,
    tag_names,
    tags_to_spans,
)

KINDS = ("person", "place", "creative-work")


@st.composite
def spans_in_a_text(draw):
    """Spans one after the other, with or without words between, and the length of their text."""
    place, spans = 0, []
    for _ in range(draw(st.integers(0, 5))):
        start = place + draw(st.integers(0, 2))
        place = start + draw(st.integers(1, 3))
        spans.append(Span(start, place, draw(st.sampled_from(KINDS))))
    return spans, place + draw(st.integers(0, 2))


@given(spans_in_a_text())
def test_spans_come_back_from_their_tags(case):
    spans, length = case
    tags = spans_to_tags(spans, length)
    assert len(tags) == length
    assert tags_to_spans(tags) == spans


def test_two_entities_side_by_side_are_two():
    assert tags_to_spans(["B-person", "B-person", "I-person"]) == [
        (0, 1, "person"),
        (1, 3, "person"),
    ]


def test_a_kind_may_have_a_dash():
    assert split_tag("I-creative-work") == ("I", "creative-work")
    assert tags_to_spans(["B-creative-work", "I-creative-work"]) == [(0, 2, "creative-work")]


def test_only_i_of_the_same_kind_needs_one_before_it():
    tags = tag_names(["person", "place"])
    barred = {(b, t) for b in tags for t in tags if not may_follow(b, t)}
    assert barred == {
        ("O", "I-person"),
        ("O", "I-place"),
        ("B-person", "I-place"),
        ("I-person", "I-place"),
        ("B-place", "I-person"),
        ("I-place", "I-person"),
    }


@pytest.mark.parametrize("tag", ["person", "b-person", "B-", "B", "", "E-person", "O-person", "o"])
def test_what_is_no_bio_tag_is_refused_with_its_place(tag):
    with refused(ValueError, "tags[1]", repr(tag), "B-kind"):
        tags_to_spans(["O", tag])


@pytest.mark.parametrize("tags", [["I-place"], ["O", "I-place"], ["B-person", "I-place"]])
def test_an_entity_that_did_not_begin_is_refused(tags):
    with refused(ValueError, f"tags[{len(tags) - 1}]", "I-place", "did not begin", "legal_tags"):
        tags_to_spans(tags)


def test_what_is_no_row_of_tags_is_refused(own_errors):
    with refused(TypeError, "tags", "one str"):
        tags_to_spans("O")
    with refused(TypeError, "tags[0]", "int"):
        tags_to_spans([3])
    with refused(TypeError, "kinds", "one str"):
        tag_names("person")
    for kinds in ([], [""], ["person", "person"]):
        with refused(ValueError, "kinds"):
            tag_names(kinds)


@pytest.mark.parametrize("span", [(1, 1), (-1, 1), (2, 4), (2, 1)])
def test_a_span_outside_of_the_text_is_refused(span):
    with refused(ValueError, "3 words", f"{span[0]} to {span[1]}"):
        spans_to_tags([Span(*span, "place")], 3)


def test_spans_that_meet_are_refused():
    with refused(ValueError, "overlap", "1 to 3"):
        spans_to_tags([Span(0, 2, "place"), Span(1, 3, "person")], 3)
