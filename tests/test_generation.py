"""attncourse.metrics.generation: symbols read, agreement beyond chance, Frechet distance."""

from __future__ import annotations

import pytest
import scipy.linalg
import torch
from sklearn.metrics import cohen_kappa_score
from support import refused

from attncourse.data.corners import CORNERS, draw_corners, symbol_shapes
from attncourse.metrics import agreement, agreement_interval, frechet_distance, read_symbols

pytestmark = pytest.mark.usefixtures("own_errors")


def pairs(table: list[list[int]]) -> torch.Tensor:
    """Write a table of counts out, one picture after the other."""
    return torch.tensor(
        [[i, j] for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]
    )


def test_drawn_symbols_are_read():
    pictures = draw_corners(50, 4, torch.Generator().manual_seed(0))
    read = read_symbols(pictures.images, symbol_shapes(), CORNERS)
    assert torch.equal(read, pictures.symbols[:, None].expand(50, 2))


def test_two_wrong_pixels_are_forgiven_and_a_third_is_not():
    pictures = draw_corners(1, 4, torch.Generator().manual_seed(0))
    image, first = pictures.images.clone(), CORNERS[0]
    read = []
    for wrong in range(4):
        read.append(read_symbols(image, symbol_shapes(), CORNERS)[0].tolist())
        image[0, 0, first + wrong, first + 1] = 1 - image[0, 0, first + wrong, first + 1]
    (symbol,) = pictures.symbols.tolist()
    assert read == [[symbol, symbol]] * 3 + [[-1, symbol]]
    strict = read_symbols(image, symbol_shapes(), CORNERS, most_wrong=4)
    assert strict.tolist() == [[symbol, symbol]]


def test_grey_counts_as_ink_above_a_half():
    image = draw_corners(1, 1, torch.Generator().manual_seed(0)).images
    assert (read_symbols(0.51 * image, symbol_shapes(1), CORNERS) == 0).all()
    assert (read_symbols(0.5 * image, symbol_shapes(1), CORNERS) == -1).all()


def test_kappa_of_a_table_by_hand():
    # 20 pictures: raw (6 + 8) / 20 = 0.7, chance 0.5 * 0.4 + 0.5 * 0.6 = 0.5, so 0.2 / 0.5
    told = agreement(pairs([[6, 4], [2, 8]]), 2)
    assert told.raw == pytest.approx(0.7)
    assert told.chance == pytest.approx(0.5)
    assert told.corrected == pytest.approx(0.4)
    assert told.usage == pytest.approx((0.45, 0.55))
    assert told.valid == 1


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_scikit_learns(seed):
    generator = torch.Generator().manual_seed(seed)
    table = torch.randint(1, 30, (3, 3), generator=generator).tolist()
    read = pairs(table)
    expected = cohen_kappa_score(read[:, 0].numpy(), read[:, 1].numpy())
    assert agreement(read, 3).corrected == pytest.approx(expected, abs=1e-12)
    assert agreement(read, 5).corrected == pytest.approx(expected, abs=1e-12)


def test_unread_pictures_count_for_the_share_that_is_valid_and_for_nothing_else():
    read = torch.cat([pairs([[6, 4], [2, 8]]), torch.tensor([[-1, 0], [1, -1], [-1, -1], [-1, 1]])])
    told = agreement(read, 2)
    assert told.valid == pytest.approx(20 / 24)
    assert told.corrected == pytest.approx(0.4)
    assert agreement(torch.full((3, 2), -1), 2).valid == 0


def test_what_always_says_the_same_shows_nothing_and_what_never_agrees_is_below_chance():
    assert agreement(pairs([[9, 0], [0, 0]]), 2).corrected == 0
    assert agreement(pairs([[9, 0], [0, 0]]), 2).raw == 1
    assert agreement(pairs([[0, 5], [5, 0]]), 2).corrected == pytest.approx(-1)


def test_the_interval_holds_the_score_and_is_smaller_with_more_pictures():
    few, many = pairs([[6, 4], [2, 8]]), pairs([[60, 40], [20, 80]])
    small, large = agreement_interval(few, 2), agreement_interval(many, 2)
    assert small.low < small.value < small.high
    assert large.value == small.value == agreement(few, 2).corrected
    assert large.high - large.low < 0.5 * (small.high - small.low)
    # By the delta method its standard error is about sqrt(p_o (1 - p_o) / n) / (1 - p_e), 0.065.
    assert large.high - large.low == pytest.approx(2 * 1.96 * 0.065, rel=0.15)


def test_frechet_distance_by_hand():
    # Means 1 and 5; variances 2 and 8, whose roots are as 1 to 2: 16 + 2 + 8 - 2 * 4
    one, other = torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0], [7.0]])
    assert frechet_distance(one, other) == pytest.approx(18)


def test_frechet_distance_is_what_scipys_root_gives():
    one = torch.randn(40, 5, dtype=torch.float64) @ torch.randn(5, 5, dtype=torch.float64)
    other = torch.randn(30, 5, dtype=torch.float64) + 1
    (m, s), (n, t) = ((x.mean(0).numpy(), x.T.cov().numpy()) for x in (one, other))
    expected = ((m - n) ** 2).sum() + (s + t - 2 * scipy.linalg.sqrtm(s @ t).real).trace()
    assert frechet_distance(one, other) == pytest.approx(expected)
    assert frechet_distance(other, one) == pytest.approx(expected)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)


def test_features_that_never_change_are_no_trouble():
    x = torch.cat([torch.randn(7, 2), torch.zeros(7, 11)], 1)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-5)


def test_what_cannot_be_measured_is_refused():
    image, shapes = torch.zeros(2, 1, 16, 16), symbol_shapes(2)
    with refused(ValueError, "pictures", "(0, 1, 16, 16)"):
        read_symbols(image[:0], shapes, CORNERS)
    with refused(ValueError, "pictures", "(2, 3, 16, 16)"):
        read_symbols(image.expand(2, 3, 16, 16), shapes, CORNERS)
    with refused(TypeError, "pictures", "int64"):
        read_symbols(image.long(), shapes, CORNERS)
    with refused(ValueError, "corners", "12", "5"):
        read_symbols(image, shapes, (1, 12))
    with refused(ValueError, "most_wrong", "-1"):
        read_symbols(image, shapes, CORNERS, most_wrong=-1)
    read = torch.zeros(3, 2, dtype=torch.int64)
    with refused(ValueError, "read", "(0, 2)"):
        agreement(read[:0], 2)
    with refused(ValueError, "read", "(3, 1)"):
        agreement(read[:, :1], 2)
    with refused(TypeError, "read", "float32"):
        agreement(read.float(), 2)
    with refused(ValueError, "read", "0 to 1", "2"):
        agreement(read + 2, 2)
    with refused(ValueError, "read", "-2"):
        agreement(read - 2, 2)
    with refused(ValueError, "num_symbols", "0"):
        agreement(read, 0)
    with refused(ValueError, "features", "3", "2"):
        frechet_distance(torch.zeros(5, 3), torch.zeros(5, 2))
    with refused(ValueError, "second", "1"):
        frechet_distance(torch.zeros(5, 3), torch.zeros(1, 3))
