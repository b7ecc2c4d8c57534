"""Figures of numbers: what is drawn is what was given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import same_color
from support import refused

from attncourse import figures

pytestmark = pytest.mark.usefixtures("no_figures_left")


@pytest.fixture
def ax():
    return plt.subplots()[1]


# heatmap


def test_a_row_is_a_query_and_a_column_a_key():
    weights = torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]])
    ax = figures.heatmap(weights, queries=["a", "b"], keys=["x", "y", "z"])
    (image,) = ax.get_images()
    np.testing.assert_array_equal(image.get_array(), weights.numpy())
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["x", "y", "z"]


def test_each_cell_tells_its_weight():
    ax = figures.heatmap(torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.499, 0.001]]))
    told = {text.get_position(): text.get_text() for text in ax.texts}
    assert told == {
        (0, 0): "0.10", (1, 0): "0.20", (2, 0): "0.70",
        (0, 1): "0.50", (1, 1): "0.50", (2, 1): "0.00",
    }  # fmt: skip


def test_numbers_are_dark_on_light_cells_and_light_on_dark_ones():
    ax = figures.heatmap(torch.tensor([[0.0, 0.5, 0.6, 1.0]]))
    light = [same_color(text.get_color(), "white") for text in ax.texts]
    assert light == [False, False, True, True]


@pytest.mark.parametrize(
    ("keys", "asked", "drawn"), [(40, None, 80), (41, None, 0), (41, True, 82), (2, False, 0)]
)
def test_numbers_are_drawn_where_there_is_room_or_on_request(keys, asked, drawn):
    ax = figures.heatmap(torch.zeros(2, keys), numbers=asked)
    assert len(ax.texts) == drawn


def test_the_colours_span_zero_to_the_maximum_whatever_the_weights():
    assert figures.heatmap(torch.full((2, 3), 0.2)).get_images()[0].get_clim() == (0, 1)
    scaled = figures.heatmap(torch.full((2, 3), 0.2), maximum=0.5)
    assert scaled.get_images()[0].get_clim() == (0, 0.5)


def test_it_draws_where_it_is_told(ax):
    before = plt.get_fignums()
    assert figures.heatmap(torch.eye(2), ax=ax) is ax
    assert plt.get_fignums() == before


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_weights_of_any_dtype_and_with_gradients_are_drawn(dtype, device):
    weights = torch.tensor([[0.25, 0.75]], dtype=dtype, device=device, requires_grad=True)
    drawn = figures.heatmap(weights).get_images()[0].get_array()
    np.testing.assert_array_equal(drawn, [[0.25, 0.75]])


@pytest.mark.parametrize("shape", [(3,), (1, 2, 3)])
def test_weights_of_another_rank_are_refused(own_errors, shape):
    with refused(ValueError, "weights", "(query, key)", str(shape)):
        figures.heatmap(torch.zeros(shape))


@pytest.mark.parametrize(("name", "size"), [("queries", 2), ("keys", 3)])
def test_labels_that_do_not_fit_are_refused(own_errors, name, size):
    for labels in (["a"], ["a"] * 5, []):
        with refused(ValueError, name, f"{size} labels", f"got {len(labels)}"):
            figures.heatmap(torch.zeros(2, 3), **{name: labels})


LONG = ["Donaudampfschifffahrtsgesellschaft", "the", "unquestionable", "of", "internationally"]
THIRTY = [LONG[i % 5] for i in range(30)]


def boxes(ax, axis) -> list:
    """Return where the labels of an axis stand once the figure is drawn."""
    ax.figure.canvas.draw()
    return [label.get_window_extent() for label in axis.get_ticklabels()]


def assert_readable(ax):
    """Labels are of a size that one can read, none lies on another, and none is cut off."""
    for axis in (ax.xaxis, ax.yaxis):
        found = boxes(ax, axis)
        assert found
        assert not any(box.overlaps(other) for i, box in enumerate(found) for other in found[:i])
        whole = ax.figure.bbox
        assert all(box.x0 >= whole.x0 and box.x1 <= whole.x1 for box in found)
        assert all(box.y0 >= whole.y0 and box.y1 <= whole.y1 for box in found)
        assert axis.get_ticklabels()[0].get_size() >= 6


@pytest.mark.parametrize("styled", [False, True])
@pytest.mark.parametrize("shape", [(30, 30), (3, 30), (30, 3), (12, 11), (5, 7), (97, 101)])
def test_many_long_words_stay_readable(shape, styled):
    if styled:
        figures.style()
    queries, keys = ([LONG[i % 5] for i in range(size)] for size in shape)
    ax = figures.heatmap(torch.zeros(shape), queries=queries, keys=keys)
    assert (len(ax.get_yticks()), len(ax.get_xticks())) == shape
    ax.set_title("a title takes some of the room")
    assert_readable(ax)


def test_thirty_words_are_large_enough_on_a_telephone():
    ax = figures.heatmap(torch.zeros(30, 30), queries=THIRTY, keys=THIRTY)
    # a telephone is 375 pixels wide, and 72 points are an inch
    pixels = ax.get_xticklabels()[0].get_size() / 72 * 375 / ax.figure.get_figwidth()
    assert pixels >= 7


def test_short_words_lie_flat_as_large_as_ever():
    words = ["a", "dog", "runs"]
    label = figures.heatmap(torch.eye(3), queries=words, keys=words).get_xticklabels()[1]
    assert (label.get_rotation(), label.get_size()) == (0, plt.rcParams["font.size"])


@pytest.mark.parametrize("size", [30, 101])
def test_labels_fit_into_axes_that_are_there_already(size):
    ax = plt.subplots(figsize=(6, 6))[1]
    ax.set_position((0.3, 0.3, 0.6, 0.6))
    words = [LONG[i % 5] for i in range(size)]
    figures.heatmap(torch.zeros(size, size), queries=words, keys=words, ax=ax)
    assert_readable(ax)
    step = 1 if size == 30 else 3
    assert [label.get_text() for label in ax.get_xticklabels()][1] == words[step][:18]


def test_neighbours_with_the_same_rows_share_their_labels():
    _, axes = plt.subplots(1, 2, sharey=True)
    for ax in axes:
        figures.heatmap(torch.eye(2), queries=["a", "b"], keys=["x", "y"], ax=ax)
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["a", "b"]


def test_a_word_is_cut_where_it_is_longer_than_any_needs_to_be():
    ax = figures.heatmap(torch.zeros(1, 2), keys=["a" * 18, "b" * 19])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a" * 18, "b" * 17 + "…"]


def test_dollars_in_a_text_are_no_formula():
    ax = figures.heatmap(torch.zeros(1, 1), queries=["$5 or $\\frac"], keys=["$a$"])
    ax.figure.canvas.draw()
    assert not ax.get_xticklabels()[0].get_parse_math()


# bands


def test_a_band_holds_the_median_and_the_quartiles(ax):
    # five runs; sorted, the second, third and fourth are quartile, median and quartile
    samples = torch.tensor([[5.0, 50.0], [1.0, 10.0], [4.0, 40.0], [2.0, 20.0], [3.0, 30.0]])
    figures.bands(ax, torch.tensor([0.0, 7.0]), samples, label="five runs", colour="#0072B2")
    (line,) = ax.lines
    np.testing.assert_array_equal(line.get_xydata(), [[0, 3], [7, 30]])
    assert line.get_label() == "five runs"
    (band,) = ax.collections
    assert set(map(tuple, band.get_paths()[0].vertices)) == {(0, 2), (0, 4), (7, 20), (7, 40)}
    assert same_color(line.get_color(), "#0072B2")
    assert same_color(band.get_facecolor()[0][:3], "#0072B2")


@pytest.mark.parametrize(("points", "shape"), [(2, (5, 3)), (2, (2,)), (2, (2, 5)), (2, (1, 5, 2))])
def test_samples_that_do_not_fit_are_refused(own_errors, ax, points, shape):
    with refused(ValueError, "samples", "(repetition, point)", str(shape), f"({points},)"):
        figures.bands(ax, torch.zeros(points), torch.zeros(shape), label="")


# spotlight


def test_the_heaviest_patch_is_fully_lit_and_the_others_fade(ax):
    # light is 0.25 + 0.75 sqrt(w / max): 1 for 0.4, 0.625 for a quarter of it, 0.25 for nothing
    weights = torch.tensor([[0.4, 0.1, 0.0]])
    figures.spotlight(ax, torch.ones(2, 6, 3), weights, "a title")
    drawn = ax.get_images()[0].get_array()
    for row in range(2):
        np.testing.assert_allclose(drawn[row, :, 0], [1, 1, 0.625, 0.625, 0.25, 0.25], atol=1e-6)
    assert ax.get_title(loc="left") + ax.get_title() == "a title"


@pytest.mark.parametrize(("rows", "columns"), [(3, 3), (2, 4)])
def test_patches_that_do_not_divide_the_picture_are_refused(own_errors, ax, rows, columns):
    with refused(ValueError, "weights", f"({rows}, {columns})", "(4, 6, 3)"):
        figures.spotlight(ax, torch.ones(4, 6, 3), torch.ones(rows, columns))


# What all of them refuse


@pytest.mark.parametrize(
    ("draw", "good"),
    [
        (lambda ax, **tensors: figures.heatmap(ax=ax, **tensors), {"weights": torch.eye(2)}),
        (
            lambda ax, **tensors: figures.bands(ax, label="", **tensors),
            {"x": torch.zeros(2), "samples": torch.zeros(5, 2)},
        ),
        (
            lambda ax, **tensors: figures.spotlight(ax, **tensors),
            {"image": torch.ones(2, 2, 3), "weights": torch.eye(2)},
        ),
    ],
    ids=["heatmap", "bands", "spotlight"],
)
def test_what_is_no_tensor_is_refused(own_errors, ax, draw, good):
    draw(ax, **good)
    for name, tensor in good.items():
        with refused(TypeError, name, "tensor", "list"):
            draw(ax, **good | {name: tensor.tolist()})


def test_pictures_and_measurements_of_any_dtype_are_drawn():
    _, ax = plt.subplots()
    figures.bands(ax, torch.arange(3).bfloat16(), torch.arange(15).reshape(5, 3), label="whole")
    assert ax.lines[0].get_ydata().tolist() == [6, 7, 8]
    figures.spotlight(ax, torch.rand(4, 6, 3).bfloat16(), torch.zeros(2, 3).half())
    assert ax.get_images()[0].get_array().max() <= 1
    with pytest.raises(ValueError, match=r"weights .* must divide the image"):
        figures.spotlight(ax, torch.rand(4, 6, 3), torch.zeros(0, 3))
    plt.close()


def test_labels_without_a_letter_leave_the_axis_bare():
    """Kind: a division by the height of nothing."""
    ax = figures.heatmap(torch.eye(2), queries=["", ""], keys=["", ""])
    assert not ax.get_xticklabels()
    assert not ax.get_yticklabels()
