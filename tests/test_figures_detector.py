"""attncourse.figures.detector: the shapes that are drawn are those of the model."""

from __future__ import annotations

import pytest
import torch

from attncourse.figures import query_detector
from attncourse.vision import ConvStem, SetDetector

pytestmark = pytest.mark.usefixtures("no_figures_left")


def notes(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_by_default_the_shapes_are_those_of_the_chapters_model():
    stem = ConvStem((3, 16, 32, 64, 64), strides=(1, 2, 2, 2))
    model = SetDetector(stem, num_classes=3, side=48)
    prediction = model(torch.rand(1, 3, 48, 48))
    said = notes(query_detector())
    assert f"vectors\n{len(model.content)} × {stem.out_channels}" in said
    assert "logits\n{} × {}".format(*prediction.logits.shape[2:]) in said
    assert "boxes\n{} × {}".format(*prediction.boxes.shape[2:]) in said
    positions = stem(torch.rand(1, 3, 48, 48)).flatten(2).shape[2]
    assert f"memory $M$\n{positions} × {stem.out_channels}" in said
    assert f"one of {len(model.layers)}\nlayers" in said


def test_other_sizes_are_drawn_as_they_are_given():
    ax = query_detector(side=7, positions=11, queries=4, width=12, layers=2, classes=5)
    said = notes(ax)
    assert "picture\n3 × 7 × 7" in said
    assert said.count("11 × 12\n+ codes") == 1
    assert {"vectors $X$\n4 × 12", "anchors\n4 × 4", "logits\n4 × 6", "one of 2\nlayers"} <= set(
        said
    )


def test_self_attention_comes_before_cross_attention_and_the_network_last():
    parts = [text for text in query_detector().texts if "attention" in text.get_text()]
    network = next(text for text in parts[0].axes.texts if text.get_text() == "FFN")
    heights = [text.get_position()[1] for text in (*parts, network)]
    assert [text.get_text() for text in parts] == ["self-attention", "cross-attention"]
    assert heights == sorted(heights)


def test_codes_of_places_are_added_before_the_encoder_and_in_both_attentions():
    said = notes(query_detector(positions=9, width=8))
    assert [note for note in said if "codes" in note] == ["9 × 8\n+ codes", "+ codes"] + 2 * [
        "codes"
    ]


def test_a_dot_marks_each_place_where_one_arrow_becomes_several():
    dots = [line for line in query_detector().lines if line.get_marker() == "o"]
    spots = {(*line.get_xdata(), *line.get_ydata()) for line in dots}
    assert spots == {(10.9, 2.1), (10.9, 3.7), (7.3, 6.6)}
