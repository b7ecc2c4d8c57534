"""attncourse.data.entities: names kept apart, and texts in which each comes more than once."""

from __future__ import annotations

import pytest
from support import refused

from attncourse.data.bio import tags_to_spans
from attncourse.data.entities import KINDS, SPLITS, TAGS, entity_names, entity_texts

TEXTS = {split: entity_texts(entity_names(split), 400, seed=7) for split in SPLITS}


def test_no_word_of_a_name_is_in_two_splits():
    words = [{word for name in entity_names(s, 2000) for word in name.split()} for s in SPLITS]
    assert all(len(each) == 3000 for each in words)  # by turns of one word and two, none twice
    for i, own in enumerate(words):
        for other in words[i + 1 :]:
            assert not own & other


def test_no_name_of_the_test_stands_anywhere_in_a_text_of_training():
    training = {word for text in TEXTS["train"] for word in text.words}
    names = {word for name in entity_names("test") for word in name.split()}
    assert not training & names
    met = {word for text in TEXTS["test"] for word in text.words} & names
    assert len(met) > 300  # and the test is about them


def test_every_other_word_of_the_test_is_known_from_training():
    training = {word for text in TEXTS["train"] for word in text.words}
    names = {word for name in entity_names("test") for word in name.split()}
    assert {word for text in TEXTS["test"] for word in text.words} - names <= training


def test_more_names_begin_with_those_of_fewer():
    assert entity_names("test", 900)[:500] == entity_names("test")


def test_the_same_seed_gives_the_same_texts_and_another_seed_others():
    names = entity_names("train")
    assert entity_texts(names, 20, seed=7) == TEXTS["train"][:20]
    assert entity_texts(names, 20, seed=8) != TEXTS["train"][:20]


@pytest.mark.parametrize("split", SPLITS)
def test_tags_and_mentions_are_one(split):
    for text in TEXTS[split]:
        assert len(text.words) == len(text.tags)
        assert [mention.span for mention in text.mentions] == tags_to_spans(text.tags)
        assert set(text.tags) <= set(TAGS)


def name_of(text, mention):
    return text.words[mention.span.start : mention.span.end]


def test_a_vague_mention_has_its_clear_one_at_the_distance_that_is_told():
    for text in TEXTS["train"]:
        for mention in text.mentions:
            clear = [
                other
                for other in text.mentions
                if other.clear and name_of(text, other) == name_of(text, mention)
            ]
            if mention.clear:
                assert mention.distance == 0
                continue
            (only,) = clear  # a name of two kinds has no vague mention
            assert only.span.kind == mention.span.kind
            assert mention.distance == abs(only.span.start - mention.span.start) > 0


def test_the_entities_of_a_text_are_of_different_kinds():
    for text in TEXTS["train"]:
        by_name = {}
        for mention in text.mentions:
            by_name.setdefault(name_of(text, mention), []).append(mention.span.kind)
        single = [kinds[0] for kinds in by_name.values() if len(set(kinds)) == 1]
        assert len(set(single)) == len(single)


def test_one_entity_in_seven_has_two_kinds():
    kinds = []
    for text in TEXTS["train"]:
        by_name = {}
        for mention in text.mentions:
            by_name.setdefault(name_of(text, mention), set()).add(mention.span.kind)
        assert 2 <= len(by_name) <= 3
        kinds += map(len, by_name.values())
    assert 0.11 < kinds.count(2) / len(kinds) < 0.19
    assert set(kinds) == {1, 2}


def test_a_vague_sentence_tells_nothing_of_the_kind():
    """Without the name, the words around it come with every kind about as often."""
    found = {}
    for text in TEXTS["train"] + TEXTS["validation"] + TEXTS["test"]:
        for mention in text.mentions:
            if not mention.clear:
                start, end, kind = mention.span
                around = text.words[max(0, start - 1) : start] + text.words[end : end + 2]
                found.setdefault(around, []).append(kind)
    large = [kinds for kinds in found.values() if len(kinds) > 150]
    assert len(large) >= 4
    for kinds in large:
        for kind in KINDS:
            assert 0.2 < kinds.count(kind) / len(kinds) < 0.47


def test_names_that_make_no_text_are_refused(own_errors):
    with refused(ValueError, "names", "three or more", "got 0"):
        entity_texts([], 1)
    with refused(ValueError, "names", "got 2"):
        entity_texts(["ada", "bo"], 1)
    with refused(ValueError, "names", "twice"):
        entity_texts(["ada", "bo", "ada"], 1)
    for name in ("", "  ", "ada bo cy"):
        with refused(ValueError, "names[2]", repr(name)):
            entity_texts(["ada", "bo", name], 1)
    with refused(ValueError, "names[1]", "'train'"):
        entity_texts(["ada", "train", "bo"], 1)
    with refused(TypeError, "names", "one str"):
        entity_texts("ada", 1)


def test_numbers_out_of_range_are_refused(own_errors):
    names = ["ada", "bo", "cy"]
    with refused(ValueError, "count", "0"):
        entity_texts(names, 0)
    with refused(ValueError, "seed", "-1"):
        entity_texts(names, 1, seed=-1)
    with refused(TypeError, "count", "float"):
        entity_texts(names, 1.0)
    with refused(ValueError, "split", "'dev'", "'validation'"):
        entity_names("dev")
    with refused(ValueError, "count", "1000000"):
        entity_names("test", 1_000_000)
