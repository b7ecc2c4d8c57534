"""attncourse.data.news: made-up articles, and names that no two parts share."""

from __future__ import annotations

import itertools

import pytest
from support import refused

from attncourse.data import news as newspaper
from attncourse.data.news import made_up_surnames, news, write_news

SMALL = {"train": 300, "validation": 70, "test": 110, "familiar": 50}
PARTS = tuple(SMALL)


@pytest.fixture(scope="module")
def corpus():
    return news(3, **SMALL)


def every(corpus):
    return itertools.chain.from_iterable(getattr(corpus, part) for part in PARTS)


def test_the_same_seed_makes_the_same_news_and_another_seed_others(corpus):
    assert news(3, **SMALL) == corpus
    assert news(4, **SMALL).train != corpus.train


def test_a_smaller_part_is_the_beginning_of_a_larger_one(corpus):
    assert news(3, **SMALL | {"train": 11}).train == corpus.train[:11]


def test_no_word_of_a_test_name_is_ever_read_in_training(corpus):
    read = {word for article in corpus.train for word in (*article.text, *article.summary)}
    assert set(corpus.names["test"]).isdisjoint(read)
    assert set(corpus.names["validation"]).isdisjoint(read)
    assert {article.name for article in corpus.test} <= set(corpus.names["test"])
    assert {article.name for article in corpus.validation} <= set(corpus.names["validation"])
    assert {article.name for article in corpus.familiar} <= set(corpus.names["train"])


def test_no_two_parts_share_a_name_and_no_name_is_another_word(corpus):
    names = [name for part in corpus.names.values() for name in part]
    assert len(names) == len(set(names)) == 2000 + 250 + 500
    assert newspaper.OWN_WORDS.isdisjoint(names)


def test_every_other_word_is_known_from_training():
    corpus = news(0, train=2000, validation=200, test=200, familiar=0)
    read = {word for article in corpus.train for word in (*article.text, *article.summary)}
    for article in (*corpus.validation, *corpus.test):
        others = {*article.text, *article.summary} & newspaper.OWN_WORDS
        assert others <= read
        unknown = {*article.text, *article.summary} - newspaper.OWN_WORDS
        assert 2 <= len(unknown) <= 3  # the people's surnames


def test_a_headline_says_who_in_other_words_what_and_where(corpus):
    told = {headline: event for event, headline in newspaper.EVENTS.items()}
    for article in every(corpus):
        given, surname, *headline, preposition, town = article.summary
        assert (surname, preposition) == (article.name, "in")
        event = told[" ".join(headline)]
        clause = f"{given} {surname} {event} in {town} "
        assert sum(clause in f"{' '.join(sentence)} " for sentence in article.sentences) == 1


def test_no_headline_repeats_a_telling_word_of_its_event():
    little = {"the", "a", "of", "at", "in", "on", "was", "is", "for", "to"}
    for event, headline in newspaper.EVENTS.items():
        assert not set(event.split()) & set(headline.split()) - little, event
    headlines = list(newspaper.EVENTS.values())
    assert len(set(headlines)) == len(headlines)


def test_news_of_long_ago_is_somebody_elses_and_never_the_headline(corpus):
    traps = 0
    for article in every(corpus):
        for sentence in map(" ".join, article.sentences):
            if any(when in sentence for when in newspaper.LONG_AGO):
                traps += 1
                assert article.name not in sentence
    assert 0.4 < traps / sum(SMALL.values()) < 0.6


def test_an_article_has_three_to_eight_sentences_and_two_or_three_people(corpus):
    for article in every(corpus):
        assert 3 <= len(article.sentences) <= 8
        assert sum(article.sentences, ()) == article.text
        professions = {word for word in article.text if word in newspaper.PROFESSIONS}
        assert 2 <= len(professions) <= 3


def test_the_news_stands_in_the_lead_in_a_third_of_the_articles(corpus):
    def leads(article):
        lead = " ".join(article.sentences[0])
        return article.name in lead and any(event in lead for event in newspaper.EVENTS)

    assert 0.25 < sum(map(leads, every(corpus))) / sum(SMALL.values()) < 0.42


def test_few_names_of_training_are_frequent_and_those_of_test_are_alike():
    corpus = news(0, train=3000, validation=0, test=3000, familiar=0)
    first, tenth = corpus.names["train"][0], corpus.names["train"][9]
    counts = {n: sum(n in a.text for a in corpus.train) for n in (first, tenth)}
    # 2.5 people an article; of 2,000 names the first is drawn once in H(2000) = 8.18 draws.
    assert counts[first] == pytest.approx(3000 * 2.5 / 8.18, rel=0.15)
    assert counts[tenth] == pytest.approx(3000 * 2.5 / 81.8, rel=0.35)
    most = max(sum(n in a.text for a in corpus.test) for n in corpus.names["test"][:50])
    assert most < 45  # 15 on average


# Bad input


def test_names_that_no_article_can_use_are_refused(own_errors):
    for few in ([], ["voss"], ["voss", "noor", "voss"]):
        with refused(ValueError, "surnames", "three names", str(len(set(few)))):
            write_news(few, 1)
    with refused(TypeError, "surnames", "several names", "str"):
        write_news("voss", 1)
    for name, words in (("de voss", "no single word"), ("", "no single"), ("baker", "own words")):
        with refused(ValueError, "surnames", repr(name), words):
            write_news(["voss", "noor", name], 1)


def test_numbers_that_make_no_sense_are_refused(own_errors):
    with refused(ValueError, "test", "not be negative", "-1"):
        news(test=-1)
    with refused(TypeError, "seed", "integer", "float"):
        news(0.5)
    with refused(ValueError, "count", "-3"):
        write_news(["voss", "noor", "vale"], -3)
    with refused(ValueError, "count", "5000", "5001"):
        made_up_surnames(5001)
