"""attncourse.data.canvases: four digits in four colours."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest
import torch
from support import refused

from attncourse.data.canvases import CANVAS, COLOURS, CanvasBatches, draw_canvases
from attncourse.data.digits import Digits, load_digits

PAINT = torch.tensor(list(COLOURS.values()))


def drawn(count: int, seed: int = 0, split: str = "test"):
    return draw_canvases(load_digits(split), count, torch.Generator().manual_seed(seed))


def test_the_same_seed_draws_the_same_canvases_and_another_seed_others():
    first, again, other = drawn(5), drawn(5), drawn(5, seed=1)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.labels, again.labels)
    assert not torch.equal(first.images, other.images)


def test_a_canvas_has_four_colours_in_four_places_that_do_not_overlap():
    canvases = drawn(200)
    assert len(canvases) == 200
    for colours in canvases.colours.tolist():
        assert len(set(colours)) == 4
    covers = canvases.covers()
    assert (covers.sum((-1, -2)) == 64).all()
    assert (covers.sum(1) <= 1).all()
    # Every colour, digit and place occurs, and none in half of all canvases' slots.
    for values, kinds in ((canvases.colours, len(COLOURS)), (canvases.labels, 10)):
        counts = torch.bincount(values.flatten(), minlength=kinds)
        assert counts.shape == (kinds,)
        assert counts.min() > 0.5 * 800 / kinds
    assert covers.any(1).any(0).all()


def test_white_digits_are_painted_in_their_colour_where_they_stand():
    """A picture that is all ink shows what is painted where."""
    digits = Digits(torch.ones(1, 8, 8), torch.tensor([7]))
    canvases = draw_canvases(digits, 5, torch.Generator().manual_seed(0))
    assert (canvases.labels == 7).all()
    for canvas in range(5):
        image, covers = canvases.images[canvas], canvases.covers()[canvas]
        for digit, colour in enumerate(canvases.colours[canvas].tolist()):
            row, column = canvases.corners[canvas, digit].tolist()
            square = image[:, row : row + 8, column : column + 8]
            assert torch.equal(square, PAINT[colour, :, None, None].expand(3, 8, 8))
            assert covers[digit, row : row + 8, column : column + 8].all()
        bare = image[:, ~covers.any(0)]  # grey noise
        assert (bare == bare[0]).all()
        assert bare.max() <= 0.2


def test_half_the_ink_shows_half_of_what_is_under_it():
    digits = Digits(torch.full((1, 8, 8), 0.5), torch.tensor([0]))
    empty = Digits(torch.zeros(1, 8, 8), torch.tensor([0]))
    half, under = (
        draw_canvases(each, 2, torch.Generator().manual_seed(0)) for each in (digits, empty)
    )
    row, column = half.corners[1, 3].tolist()
    paint = PAINT[half.colours[1, 3]]
    expected = 0.5 * under.images[1, :, row, column] + 0.5 * paint
    torch.testing.assert_close(half.images[1, :, row, column], expected)


def test_the_digits_of_a_test_canvas_are_in_no_training_picture():
    """Taken off the canvas again, each is one of the split's own pictures."""
    test = load_digits("test").images.flatten(1)
    canvases = drawn(10)
    empty = Digits(torch.zeros(599, 8, 8), torch.zeros(599, dtype=torch.int64))
    under = draw_canvases(empty, 10, torch.Generator().manual_seed(0)).images
    for canvas in range(10):
        for digit in range(4):
            row, column = canvases.corners[canvas, digit].tolist()
            channel = PAINT[canvases.colours[canvas, digit]].argmax()
            place = (canvas, channel, slice(row, row + 8), slice(column, column + 8))
            ink = (canvases.images[place] - under[place]) / (1 - under[place])
            assert (test - ink.flatten()).abs().amax(1).min() < 1e-4


def test_batches_go_on_without_end_and_never_repeat():
    batches = CanvasBatches(load_digits("train"), 3, generator=torch.Generator().manual_seed(0))
    seen = list(islice(batches, 4))
    for images, colours, labels in seen:
        assert images.shape == (3, 3, CANVAS, CANVAS)
        assert colours.shape == labels.shape == (3, 4)
    assert not any(torch.equal(one[0], two[0]) for one, two in pairwise(seen))
    again = CanvasBatches(load_digits("train"), 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(next(iter(again))[0], seen[0][0])


def test_a_canvas_may_be_asked_fewer_of_its_colours():
    all_of_them, two = (
        CanvasBatches(
            load_digits("train"), 3, asked=asked, generator=torch.Generator().manual_seed(0)
        )
        for asked in (4, 2)
    )
    for whole, part in zip(next(iter(all_of_them)), next(iter(two)), strict=True):
        assert torch.equal(whole if whole.dim() == 4 else whole[:, :2], part)


@pytest.mark.usefixtures("own_errors")
def test_what_cannot_be_drawn_is_refused():
    digits = load_digits("test")
    with refused(ValueError, "count", "0"):
        draw_canvases(digits, 0, torch.Generator())
    with refused(TypeError, "count", "float"):
        draw_canvases(digits, 2.0, torch.Generator())
    with refused(ValueError, "asked", "4", "5"):
        CanvasBatches(digits, 2, asked=5)
    nothing = Digits(torch.zeros(0, 8, 8), torch.zeros(0, dtype=torch.int64))
    with refused(ValueError, "digits"):
        draw_canvases(nothing, 2, torch.Generator())
