"""attncourse.data.corners: the same symbol in two corners."""

from __future__ import annotations

from itertools import combinations, islice

import pytest
import torch
from support import refused

from attncourse.data.corners import (
    BLOTS,
    CORNERS,
    NAMES,
    SYMBOL,
    CornerBatches,
    draw_corners,
    symbol_shapes,
)
from attncourse.training import fit


def drawn(count: int, num_symbols: int = 4, seed: int = 0):
    return draw_corners(count, num_symbols, torch.Generator().manual_seed(seed))


def corner(images: torch.Tensor, start: int) -> torch.Tensor:
    return images[:, 0, start : start + SYMBOL, start : start + SYMBOL]


def test_the_same_seed_draws_the_same_pictures_and_another_seed_others():
    assert torch.equal(drawn(5).images, drawn(5).images)
    assert torch.equal(drawn(5).symbols, drawn(5).symbols)
    assert not torch.equal(drawn(5).images, drawn(5, seed=1).images)


@pytest.mark.parametrize("num_symbols", [1, 2, 4])
def test_both_corners_hold_the_symbol_that_is_told_and_all_occur(num_symbols):
    pictures = drawn(300, num_symbols)
    wanted = symbol_shapes()[pictures.symbols]
    for start in CORNERS:
        assert torch.equal(corner(pictures.images, start), wanted)
    counts = torch.bincount(pictures.symbols, minlength=num_symbols)
    assert len(counts) == num_symbols
    assert counts.min() > 0.7 * 300 / num_symbols


def test_any_two_symbols_differ_in_six_pixels():
    for one, other in combinations(symbol_shapes(), 2):
        assert (one != other).sum() == 6
    assert len(symbol_shapes()) == len(NAMES)


def test_blots_leave_air_around_the_symbols_and_come_in_every_number_up_to_five():
    images = drawn(1000).images
    for start in CORNERS:
        air = slice(max(0, start - 1), start + SYMBOL + 1)
        assert torch.equal(images[:, 0, air, air].sum((1, 2)), corner(images, start).sum((1, 2)))
        images[:, 0, air, air] = 0
    ink = images.flatten(1).sum(1)
    assert ink.min() == 0
    assert ink.max() == 4 * BLOTS
    assert abs(ink.mean().item() - 4 * BLOTS / 2) < 1  # a little less: some overlap
    # Wherever it may lie there is ink at times, and not much more here than there.
    often = images[:, 0].mean(0)
    middle = often[2:14, 2:14]
    assert middle[middle > 0].min() > 0.4 * middle.mean()


def test_blots_do_not_depend_on_the_symbol():
    """With as many symbols to choose from, another symbol's pictures have as much ink between."""
    pictures = drawn(2000, 2)
    images = pictures.images.clone()
    for start in CORNERS:
        corner(images, start).zero_()
    ink = images.flatten(1).sum(1)
    one, other = (ink[pictures.symbols == symbol].mean() for symbol in range(2))
    assert abs(one - other) < 1


def test_pictures_with_blots_are_hardly_ever_drawn_twice():
    """What is drawn for a test has not been trained on, but for the few that have next to none."""
    train, test = (drawn(4000, seed=seed).images.flatten(1) for seed in (0, 1))
    seen = {tuple(row.nonzero().flatten().tolist()) for row in train}
    again = sum(tuple(row.nonzero().flatten().tolist()) in seen for row in test)
    assert 0 < again < 0.45 * len(test)
    many = test[test.sum(1) > 16 * 2 + 10]
    assert len(many) > 500
    assert not any(tuple(row.nonzero().flatten().tolist()) in seen for row in many)


def test_batches_go_on_without_end_and_fit_seeds_them():
    batches = CornerBatches(3, num_symbols=2, generator=torch.Generator().manual_seed(0))
    seen = list(islice(batches, 4))
    assert all(batch.shape == (3, 1, 16, 16) for batch in seen)
    assert not torch.equal(seen[0], seen[1])

    def trained(seed: int) -> torch.Tensor:
        torch.manual_seed(0)
        model = torch.nn.Linear(256, 1)
        fit(
            model,
            CornerBatches(3, num_symbols=2),
            steps=2,
            loss=lambda model, batch: model(batch.flatten(1)).square().mean(),
            learning_rate=0.1,
            device="cpu",
            progress=False,
            seed=seed,
        )
        return model.weight

    assert torch.equal(trained(0), trained(0))
    assert not torch.equal(trained(0), trained(1))


@pytest.mark.usefixtures("own_errors")
def test_what_cannot_be_drawn_is_refused():
    with refused(ValueError, "count", "0"):
        drawn(0)
    with refused(TypeError, "count", "float"):
        drawn(2.0)
    with refused(ValueError, "num_symbols", "4", "5"):
        drawn(2, 5)
    with refused(ValueError, "num_symbols", "0"):
        drawn(2, 0)
    with refused(TypeError, "num_symbols", "bool"):
        symbol_shapes(True)
