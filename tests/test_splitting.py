"""attncourse.data.vocabulary.splitting: a text cut into words, and words joined again."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from texts import TEXTS

from attncourse.data.real import multi30k
from attncourse.data.vocabulary import join_words, split_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A dog's toy.", "a dog 's toy ."),
        ("Two T-shirts, isn't it?", "two t-shirts , isn 't it ?"),
        ("L'herbe qu’elle aime, jusqu'ici !", "l' herbe qu' elle aime , jusqu' ici !"),
        ("Männer – 3 Hüte", "männer – 3 hüte"),
        ("it's 'fine'", "it 's 'fine '"),
        ("un\u00a0mot\u202f!", "un mot !"),
        ("", ""),
    ],
)
def test_words_and_marks_are_set_apart(text, expected):
    assert split_words(text) == expected


def plain(text: str) -> str:
    """A text without what shows nothing, its apostrophes and hyphens plain."""
    text = unicodedata.normalize("NFC", text).replace("’", "'").replace("ʼ", "'")
    text = text.replace("\u2010", "-").replace("\u2011", "-")
    return "".join(sign for sign in text if unicodedata.category(sign) not in ("Cc", "Cf"))


@given(TEXTS)
def test_splitting_loses_nothing_but_space_and_case_and_what_shows_nothing(text):
    def bare(text):
        return "".join(unicodedata.normalize("NFC", plain(text).lower()).split())

    assert bare(split_words(text)) == bare(text)


@pytest.mark.parametrize(
    "typed",
    [
        "\ufeffA man's T-shirt in a café.",  # byte order mark
        "A man's T-shirt in a ca\u200bfé.",  # zero-width space
        "A man's T-shirt in a ca\u00adfé.",  # soft hyphen
        "A man's\u200e T-shirt in a caf\u2060é.\u200f",  # marks of direction, word joiner
        "A\u00a0man's\u202fT-shirt\u2007in a café\u00a0.",  # spaces that do not break
        "A man's T-shirt in a cafe\u0301.",  # decomposed
        "A man’s T\u2011shirt in a café.",  # typographic apostrophe and hyphen
        "A manʼs T\u2010shirt in a caf\x00é.\x7f",  # a letter for an apostrophe, control characters
    ],
    ids=ascii,
)
def test_however_a_sentence_was_typed_its_words_are_the_same(typed):
    """Kind: text as it comes."""
    assert split_words(typed) == "a man 's t-shirt in a café ."


@pytest.mark.parametrize(
    ("words", "language", "text"),
    [
        ("un chien court sur la plage .", "fr", "Un chien court sur la plage."),
        ("l' herbe qu' il voit aujourd 'hui", "fr", "L'herbe qu'il voit aujourd'hui"),
        ("où est-il ?", "fr", "Où est-il ?"),
        ("where is it ?", "en", "Where is it?"),
        (
            "the dog 's toy isn 't here , at 3 o 'clock .",
            "en",
            "The dog's toy isn't here, at 3 o'clock.",
        ),
        ('le mot " stop " ( en rouge ) .', "fr", 'Le mot "stop" (en rouge).'),
        ("été .", "fr", "Été."),
        ("", "fr", ""),
    ],
)
def test_words_are_joined_as_people_write_them(words, language, text):
    assert join_words(words.split(), language) == text


@pytest.mark.parametrize(
    "text", ["Aujourd'hui", "Il part aujourd'hui.", "At 3 o'clock.", "Prud'hon"]
)
def test_a_word_that_the_rule_cuts_is_whole_again(text):
    """Kind: split_words cuts "aujourd'hui". The recorded trainings read it so; it comes back."""
    assert join_words(split_words(text).split()) == text


@pytest.mark.parametrize("language", ["fr", "de"])
def test_nearly_every_caption_comes_back_as_it_was_written(released, language):
    """But for capitals inside, two spaces where one is meant, and the like."""
    for side, tongue in enumerate(("en", language)):
        texts = [plain(pair[side]).strip() for pair in multi30k("en", language, "val")]
        again = [join_words(split_words(text).split(), tongue) for text in texts]
        same = [ours.lower() == text.lower() for ours, text in zip(again, texts, strict=True)]
        assert sum(same) > 0.99 * len(same)
