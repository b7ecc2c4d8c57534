"""attncourse.vision.transformer: an encoder over patches."""

from __future__ import annotations

import pytest
import torch
from references import redrawn
from support import COMPILES, refused

from attncourse import record_attention
from attncourse.vision import VisionTransformer

BATCH, ASKED, QUESTIONS, CLASSES = 2, 3, 7, 11
SIZES = {"num_layers": 2, "embed_dim": 6, "num_heads": 3, "ffn_dim": 13}


def vit(positions: bool = True, **options) -> VisionTransformer:
    kind = {"patch_size": 4, "channels": 3, "num_classes": CLASSES, "num_questions": QUESTIONS}
    return redrawn(VisionTransformer(20, positions=positions, **kind | SIZES | options))


def pictures(side: int = 20, channels: int = 3) -> torch.Tensor:
    return torch.rand(BATCH, channels, side, side, dtype=torch.float64)


def questions() -> torch.Tensor:
    return torch.tensor([[0, 6, 2], [5, 1, 1]])


def shuffled(x: torch.Tensor, patch: int = 4) -> torch.Tensor:
    """Put the patches of pictures in another order."""
    tiles = x.unflatten(2, (-1, patch)).unflatten(4, (-1, patch))  # b c rows y columns x
    tiles = tiles.permute(2, 4, 0, 1, 3, 5).flatten(0, 1)  # patch first
    tiles = tiles[torch.randperm(len(tiles))].unflatten(0, (5, 5))
    return tiles.permute(2, 3, 0, 4, 1, 5).flatten(4, 5).flatten(2, 3)


def test_every_question_is_answered_as_if_alone():
    model, x = vit(), pictures()
    logits = model(x, questions())
    assert logits.shape == (BATCH, ASKED, CLASSES)
    for i in range(ASKED):
        torch.testing.assert_close(model(x, questions()[:, i : i + 1]), logits[:, i : i + 1])
    torch.testing.assert_close(logits[1, 1], logits[1, 2])
    assert not torch.allclose(logits[0, 0], logits[0, 1])


def test_without_questions_the_class_token_asks():
    model = vit()
    assert model(pictures()).shape == (BATCH, 1, CLASSES)
    x = pictures()
    torch.testing.assert_close(model(x), model(x, torch.zeros(BATCH, 1, dtype=torch.int64)))


def test_without_positions_the_order_of_the_patches_does_not_matter_and_with_them_it_does():
    x = pictures()
    other = shuffled(x)
    assert not torch.equal(x, other)
    blind, seeing = vit(positions=False), vit()
    torch.testing.assert_close(blind(other, questions()), blind(x, questions()))
    assert not torch.allclose(seeing(other, questions()), seeing(x, questions()))


def test_it_is_the_encoder_on_question_and_patches():
    model, x = vit(), pictures()
    tokens = model.patches(x)[1] + model.positions.weight
    front = model.questions.weight[5]
    encoded = model.encoder(torch.cat([front[None], tokens])[None])
    torch.testing.assert_close(model(x, questions())[1, 0], model.head(encoded[0, 0]))


def test_maps_can_be_recorded_a_question_a_row():
    model = vit()
    with record_attention(model) as maps:
        model(pictures(), questions())
    assert len(maps) == SIZES["num_layers"]
    for weights in maps.values():
        assert weights.shape == (BATCH * ASKED, 3, 26, 26)
        torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))


def test_it_works_in_bfloat16():
    model, x = vit(), pictures()
    exact = model(x, questions())
    half = model.bfloat16()(x.bfloat16(), questions())
    assert half.dtype == torch.bfloat16
    assert (half.double() - exact).abs().max() < 0.1 * exact.abs().max()


@COMPILES
def test_it_compiles_whole():
    model, x = vit(), pictures()
    fast = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(fast(x, questions()), model(x, questions()))


@pytest.mark.usefixtures("own_errors")
def test_bad_input_is_named():
    kind = {"channels": 3, "num_classes": 2}
    with refused(ValueError, "patch_size", "7", "20 x 20"):
        VisionTransformer(20, patch_size=7, **kind, **SIZES)
    with refused(ValueError, "image_size", "0"):
        VisionTransformer(0, patch_size=1, **kind, **SIZES)
    model = vit()
    with refused(ValueError, "pictures", "3 channels", "got 1"):
        model(pictures(channels=1))
    with refused(ValueError, "pictures", "20 x 20", "24 x 24"):
        model(pictures(side=24))
    with refused(ValueError, "pictures", "(3, 20, 20)"):
        model(pictures()[0])
    with refused(TypeError, "pictures", "list"):
        model([[1.0]])
    with refused(ValueError, "questions", "7"):
        model(pictures(), torch.full((BATCH, 1), 7))
    with refused(TypeError, "pictures", "float32"):
        model(pictures().float())
