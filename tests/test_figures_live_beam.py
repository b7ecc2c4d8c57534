"""attncourse.figures.live_beam: the picture of a beam of one, before anything moves."""

from __future__ import annotations

import re

import pytest
from live_figures import MESSAGES
from support import refused

from attncourse.figures import BLUE, RED, growing_beam
from attncourse.figures.live_beam import GREY


def texts_in(picture, colour):
    groups = re.findall(rf'<g(?: data-at="\w+")? color="{colour}".*?</g>', picture)
    return [text for group in groups for text in re.findall(r"<text.*?>(.*?)</text>", group)]


def test_the_likeliest_word_each_time_is_blue_and_the_likeliest_sentence_red():
    picture = growing_beam(MESSAGES).picture
    assert texts_in(picture, BLUE) == ["see 0.5", "you 0.4"]
    assert texts_in(picture, RED) == ["0.36", "−1.02"]  # 0.4 * 0.9, and its logarithm


def test_what_the_likeliest_word_each_time_never_meets_is_grey():
    picture = growing_beam(MESSAGES).picture
    assert texts_in(picture, GREY) == ["night 0.9", "luck 0.1", "end 0.6", "dog 0.4"]
    others = ["it 0.36", "what 0.24", "good 0.4", "the 0.1"]
    assert [text for text in texts_in(picture, "inherit") if " " in text] == others


def test_every_whole_sentence_has_its_product_and_its_sum_of_logarithms():
    picture = growing_beam(MESSAGES).picture
    found = re.findall(r">(0\.\d\d)</text><text[^>]*>(−\d\.\d\d)<", picture)
    wholes = ["0.20", "0.18", "0.12", "0.36", "0.04", "0.06", "0.04"]
    logs = ["−1.61", "−1.71", "−2.12", "−1.02", "−3.22", "−2.81", "−3.22"]
    assert found == list(zip(wholes, logs, strict=True))


@pytest.mark.parametrize("tree", [{}, {"stop": (0.5, {}), "see": (0.5, {"you": (1.0, {})})}])
def test_a_tree_whose_sentences_differ_in_length_is_refused(tree):
    with refused(ValueError, "tree", "equally long"):
        growing_beam(tree)
