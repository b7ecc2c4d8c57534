"""attncourse.vision.image_gpt: pictures as words, and a GPT that writes them."""

from __future__ import annotations

import pytest
import torch
from references import redrawn
from support import COMPILES, refused

from attncourse import record_attention
from attncourse.data.corners import draw_corners
from attncourse.decoding import sample
from attncourse.vision import ImageGPT, picture_window_mask, picture_words, words_picture

ROWS, COLUMNS, WORDS = 3, 5, 7
SIZES = {"num_layers": 2, "embed_dim": 6, "num_heads": 3, "ffn_dim": 13}


def gpt(**options) -> ImageGPT:
    return redrawn(ImageGPT(WORDS, rows=ROWS, columns=COLUMNS, **SIZES | options))


def written(count: int = 2) -> torch.Tensor:
    return torch.randint(WORDS, (count, ROWS * COLUMNS))


def test_a_patch_is_read_as_a_binary_number_row_by_row():
    picture = torch.tensor([[[[0.0, 1, 1, 1], [1, 0, 0.6, 0.4]]]])  # 0110 and 1110
    assert picture_words(picture, 2).tolist() == [[6, 14]]
    assert picture_words(picture, 1).tolist() == [[0, 1, 1, 1, 1, 0, 1, 0]]


@pytest.mark.parametrize("patch_size", [1, 2, 4])
def test_words_paint_the_picture_that_they_were_read_from(patch_size):
    pictures = draw_corners(7, 4, torch.Generator().manual_seed(0)).images[:, :, :12]
    words = picture_words(pictures, patch_size)
    assert words.shape == (7, 12 * 16 // patch_size**2)
    assert torch.equal(words_picture(words, patch_size, columns=16 // patch_size), pictures)


def test_no_word_depends_on_itself_or_on_a_later_one():
    model, words = gpt(), written(1)
    logits = model(words)
    for place in range(ROWS * COLUMNS):
        other = words.clone()
        other[:, place] = (other[:, place] + 1) % WORDS
        changed = (model(other) - logits).abs().amax(-1)[0] > 1e-9
        assert not changed[: place + 1].any()
        assert changed[place + 1 :].all()


def test_a_window_shows_the_four_neighbours_that_are_written():
    mask = picture_window_mask(ROWS, COLUMNS, 3)
    for place in range(ROWS * COLUMNS):
        row, column = divmod(place, COLUMNS)
        near = {(row, column - 1)} | {(row - 1, column + step) for step in (-1, 0, 1)}
        near = {(r, c) for r, c in near if r >= 0 and 0 <= c < COLUMNS}
        keys = {r * COLUMNS + c + 1 for r, c in near} | {place}
        assert set(mask[place].nonzero().flatten().tolist()) == keys


def test_a_window_as_large_as_the_picture_is_causal_but_for_the_begin_mark():
    mask = picture_window_mask(ROWS, COLUMNS, 9)
    full = torch.ones_like(mask).tril()
    assert torch.equal(mask[:, 1:], full[:, 1:])
    assert mask[:, 0].nonzero().tolist() == [[0]]


def test_with_a_window_a_word_depends_on_near_ones_alone_a_layer_at_a_time():
    model, words = gpt(window=3, num_layers=1), written(1)
    other = words.clone()
    other[:, 0] = (other[:, 0] + 1) % WORDS  # row 0, column 0
    changed = (model(other) - model(words)).abs().amax(-1)[0] > 1e-9
    # Its neighbours to the right and below; and the place whose own key holds it.
    assert changed.nonzero().flatten().tolist() == [1, COLUMNS, COLUMNS + 1]


def test_both_masks_have_as_many_weights():
    one, other = (
        sum(weights.numel() for weights in gpt(window=window).parameters()) for window in (None, 3)
    )
    assert one == other


@pytest.mark.parametrize("window", [None, 3])
def test_word_by_word_the_logits_are_those_of_the_whole_picture(window):
    model, words = gpt(window=window), written(3)
    whole = model(words)
    state = model.start(model.blank(3))
    last = torch.full((3,), WORDS)
    for place in range(ROWS * COLUMNS):
        before = [len(cache) for cache in state]
        logits, new = model.step(last, state)
        torch.testing.assert_close(logits, whole[:, place])
        assert [len(cache) for cache in state] == before
        state, last = new, words[:, place]


def test_sampled_pictures_are_whole_and_as_likely_as_the_model_says():
    model = gpt().float()
    drawn = sample(model, model.blank(5), **model.marks, generator=torch.Generator().manual_seed(0))
    assert drawn.tokens.shape == (5, ROWS * COLUMNS)
    assert drawn.tokens.max() < WORDS
    with torch.no_grad():
        logs = model(drawn.tokens).log_softmax(-1)
    expected = logs.gather(-1, drawn.tokens[..., None]).sum((1, 2))
    torch.testing.assert_close(drawn.log_probability, expected, rtol=1e-4, atol=1e-4)
    again = sample(model, model.blank(5), **model.marks, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.tokens, drawn.tokens)


def test_recorded_maps_are_the_masks():
    model = gpt(window=3)
    with record_attention(model) as maps:
        model(written(2))
    assert len(maps) == 2
    for weights in maps.values():
        assert weights.shape == (2, 3, 15, 15)
        assert torch.equal(weights > 0, picture_window_mask(ROWS, COLUMNS, 3).expand(2, 3, 15, 15))


def test_bfloat16_is_near_float64():
    model, words = gpt(), written(2)
    logits = model(words)
    assert logits.dtype is torch.float64
    half = model.bfloat16()(words)
    assert half.dtype is torch.bfloat16
    torch.testing.assert_close(half.double(), logits, atol=0.2, rtol=0.1)


@COMPILES
def test_it_compiles_to_one_graph():
    model, words = gpt(), written(2)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(words), model(words))


@pytest.mark.usefixtures("own_errors")
def test_what_fits_no_picture_is_refused():
    pictures, model = torch.zeros(2, 1, 16, 16), gpt()
    with refused(ValueError, "patch_size", "3", "16"):
        picture_words(pictures, 3)
    with refused(ValueError, "patch_size", "8"):
        picture_words(pictures, 8)
    with refused(ValueError, "pictures", "1 channel", "3"):
        picture_words(pictures.expand(2, 3, 16, 16), 2)
    with refused(ValueError, "words", "rows of 5", "16"):
        words_picture(torch.zeros(1, 16, dtype=torch.int64), 2, columns=5)
    with refused(ValueError, "words", "0 to 15", "16"):
        words_picture(torch.full((1, 5), 16), 2, columns=5)
    with refused(ValueError, "width", "2"):
        picture_window_mask(3, 5, 2)
    with refused(ValueError, "words", "15", "(2, 14)"):
        model(written()[:, :14])
    with refused(ValueError, "words", "(0, 15)"):
        model(written()[:0])
    with refused(ValueError, "words", "0 to 6", "7"):
        model(torch.full((2, 15), WORDS))
    with refused(TypeError, "words", "float32"):
        model(written().float())
    with refused(ValueError, "num_words", "0"):
        ImageGPT(0, rows=3, columns=5, **SIZES)
    with refused(ValueError, "temperature", "0"):
        sample(model, model.blank(2), **model.marks, temperature=0.0)
    with refused(ValueError, "count", "0"):
        model.blank(0)
