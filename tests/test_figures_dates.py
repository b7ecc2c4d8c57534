"""A column of dates: when a preprint came out, and texts that do not overlap."""

from __future__ import annotations

from itertools import pairwise

import matplotlib.pyplot as plt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attncourse import figures
from attncourse.figures import Event
from attncourse.figures.dates import preprint_date, spread_out

pytestmark = pytest.mark.usefixtures("no_figures_left")


@pytest.mark.parametrize(
    ("arxiv", "date"),
    [
        ("1409.0473", 2014 + 8.5 / 12),  # September
        ("1706.03762", 2017 + 5.5 / 12),  # June
        ("2012.00001", 2020 + 11.5 / 12),  # December
    ],
)
def test_year_and_month_are_the_first_four_digits(arxiv, date):
    assert preprint_date(arxiv) == pytest.approx(date, abs=1e-12)


@pytest.mark.parametrize("arxiv", ["1713.00001", "1700.00001", "cs/9901002", "17.06", ""])
def test_what_is_no_number_of_a_preprint_is_named(arxiv):
    with pytest.raises(ValueError, match="arxiv must be a number such as") as raised:
        preprint_date(arxiv)
    assert repr(arxiv) in str(raised.value)


def test_places_that_stand_far_enough_apart_stay():
    assert spread_out([1.0, 2.0, 4.0], apart=1.0) == [1.0, 2.0, 4.0]
    assert spread_out([], apart=1.0) == []


def test_three_at_one_place_stand_around_it():
    assert spread_out([5.0, 5.0, 5.0], apart=2.0) == [3.0, 5.0, 7.0]


def test_a_group_that_grows_takes_its_neighbour_in():
    # The two at 1 would stand at 0.5 and 1.5, too close to the one at 0: all three share the way.
    assert spread_out([0.0, 1.0, 1.0], apart=1.0) == pytest.approx([-1 / 3, 2 / 3, 5 / 3])


@given(st.lists(st.floats(0, 10), max_size=12), st.floats(0.1, 2.0))
def test_places_are_apart_and_move_as_little_as_can_be(places, apart):
    places = sorted(places)
    moved = spread_out(places, apart)
    gaps = [b - a for a, b in pairwise(moved)]
    assert all(gap > apart - 1e-9 for gap in gaps)
    # No other places that are apart are nearer: nothing lies on their side of `moved`.
    wanted, found = torch.tensor(places).double(), torch.tensor(moved).double()
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        steps = torch.rand(len(places), generator=generator, dtype=torch.float64) + apart
        other = steps.cumsum(0) + 10 * torch.rand((), generator=generator).double() - 5
        assert (wanted - other).square().sum() >= (wanted - found).square().sum() - 1e-9


@pytest.mark.parametrize(
    ("places", "apart", "says"),
    [([0.0, 1.0], 0.0, "apart must be positive, got 0.0"), ([1.0, 0.0], 1.0, "places must rise")],
)
def test_what_cannot_be_spread_out_is_refused(places, apart, says):
    with pytest.raises(ValueError, match=says):
        spread_out(places, apart)


def test_dots_stand_at_their_dates_and_texts_in_their_order_the_latest_below():
    events = [Event(2014.7, "looks back"), Event(2014.8, "remembers"), Event(2017.5, "reads")]
    ax = plt.subplots()[1]
    figures.timeline(ax, events, apart=0.5, ticks=[2014, 2018])
    dots = [line.get_ydata()[0] for line in ax.lines if line.get_marker() == "o"]
    assert dots == [2014.7, 2014.8, 2017.5]
    assert [text.get_text() for text in ax.texts] == ["looks back", "remembers", "reads"]
    heights = [text.get_position()[1] for text in ax.texts]
    assert heights == pytest.approx([2014.5, 2015.0, 2017.5])
    assert ax.yaxis_inverted()
    assert ax.get_ylim()[0] > 2018 > 2014 > ax.get_ylim()[1]
