"""`count_entities` (chapter 14)."""

from __future__ import annotations

from answers import right_answers, solve, unknown_answers, wrong_answers
from hypothesis import given
from hypothesis import strategies as st

from attncourse.data.bio import may_follow, tags_to_spans
from attncourse.metrics import entity_counts

TAGS = ("O", "B-person", "I-person", "B-place", "I-place")


def legal(tags):
    """Make an I that does not go on with anything a B."""
    mended = []
    for tag in tags:
        before = mended[-1] if mended else "O"
        mended.append(tag if may_follow(before, tag) else f"B{tag[1:]}")
    return mended


@given(st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), min_size=1, max_size=9))
def test_counts_agree_with_the_packages(pairs):
    tags, gold = (legal(side) for side in zip(*pairs, strict=True))
    assert list(solve("count_entities", tags, gold)) == entity_counts([tags], [gold])[0].tolist()


# -- answers as readers write them -----------------------------------------------------------------


def with_the_package(tags, gold):
    ours, theirs = tags_to_spans(tags), tags_to_spans(gold)
    return len(set(ours).intersection(theirs)), len(ours), len(theirs)


def word_by_word(tags, gold):
    pairs = list(zip(tags, gold, strict=True))
    return (
        len([1 for a, b in pairs if a == b and a != "O"]),
        len([a for a, _ in pairs if a != "O"]),
        len([b for _, b in pairs if b != "O"]),
    )


def first_word_only(tags, gold):
    right = sum(a == b and a.startswith("B") for a, b in zip(tags, gold, strict=True))
    return right, sum(t[0] == "B" for t in tags), sum(t[0] == "B" for t in gold)


def without_kinds(tags, gold):
    ours = {span[:2] for span in tags_to_spans(tags)}
    theirs = {span[:2] for span in tags_to_spans(gold)}
    return len(ours & theirs), len(ours), len(theirs)


def the_other_way(tags, gold):
    return with_the_package(gold, tags)


test_a_right_answer_in_other_words_passes = right_answers("count_entities", [with_the_package])
test_a_wrong_answer_gets_its_right_name = wrong_answers(
    "count_entities",
    [
        (word_by_word, "you count words"),
        (first_word_only, "where it begins right"),
        (without_kinds, "the kind is not compared"),
        (the_other_way, "the other way round"),
    ],
)
test_an_unknown_mistake_gets_no_name_but_a_counterexample = unknown_answers(
    "count_entities", [lambda tags, gold: (0, 1, 2)]
)
