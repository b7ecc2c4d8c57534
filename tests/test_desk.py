"""attncourse.data.desk: the picture of chapter 01."""

import torch

from attncourse.data.desk import HEIGHT, THINGS, WIDTH, draw_desk


def seeds(count):
    return (draw_desk(torch.Generator().manual_seed(seed)) for seed in range(count))


def test_the_same_seed_draws_the_same_desk_and_another_seed_another():
    first, again, other = (draw_desk(torch.Generator().manual_seed(s)) for s in (3, 3, 4))
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.labels, again.labels)
    assert not torch.equal(first.labels, other.labels)


def test_every_thing_is_on_every_desk_and_whole():
    # Areas in pixels by hand: rectangles of 60 x 44 (twice) and 64 x 48, a disc of radius 14
    # with most of a ring between radii 3 and 6, and a pencil of 60 x 6 less its tip.
    expected = {"paper": 2 * 60 * 44, "book": 64 * 48, "cup": 616 + 60, "pencil": 360 - 24}
    for desk in seeds(20):
        assert desk.image.shape == (HEIGHT, WIDTH, 3)
        assert desk.labels.shape == (HEIGHT, WIDTH)
        for name, area in expected.items():
            pixels = (desk.labels == THINGS.index(name)).sum().item()
            # A labelled pixel is one sample of four, so edges are off by a few per cent.
            assert abs(pixels - area) < 0.1 * area, name


def test_colours_lie_between_nought_and_one_and_only_the_cup_is_red():
    for desk in seeds(20):
        assert desk.image.min() >= 0
        assert desk.image.max() <= 1
        red = desk.image[..., 0] - desk.image[..., 1] > 0.3
        assert (desk.labels[red] == THINGS.index("cup")).float().mean() > 0.9
        assert red[desk.labels == THINGS.index("cup")].float().mean() > 0.9


def test_things_keep_clear_of_the_border():
    for desk in seeds(20):
        border = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
        border[1:-1, 1:-1] = False
        assert (desk.labels[border] == THINGS.index("desk")).all()
