"""attncourse.vision.reader: stem, pool and head."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from support import COMPILES, refused

from attncourse import record_attention
from attncourse.training import fit
from attncourse.vision import AttentionPool, ConvStem, FiLMPool, GlobalPool, PictureReader

BATCH, ASKED, QUESTIONS, CLASSES = 2, 3, 7, 11
CHANNELS = (3, 5, 8)

POOLS = {
    "attention": lambda: AttentionPool(8),
    "mean": lambda: GlobalPool(8, how="mean", hidden_dim=13),
    "FiLM": lambda: FiLMPool(8),
}
EVERY_POOL = pytest.mark.parametrize("name", POOLS)


def reader(name: str = "attention", **options) -> PictureReader:
    stem = ConvStem(CHANNELS, strides=(1, 2))
    sizes = {"num_questions": QUESTIONS, "num_classes": CLASSES} | options
    return PictureReader(stem, POOLS[name](), **sizes)


def pictures(channels: int = 3) -> torch.Tensor:
    return torch.rand(BATCH, channels, 13, 17)


def questions() -> torch.Tensor:
    return torch.tensor([[0, 6, 2], [5, 1, 1]])


def test_the_stem_halves_where_its_stride_is_two():
    assert ConvStem(CHANNELS, strides=(1, 2))(pictures()).shape == (BATCH, 8, 7, 9)
    assert ConvStem(CHANNELS, strides=(2, 2))(pictures()).shape == (BATCH, 8, 4, 5)
    assert (ConvStem(CHANNELS, strides=(1, 1))(pictures()) >= 0).all()


@EVERY_POOL
def test_one_picture_answers_each_question_as_if_alone(name):
    model = reader(name).eval()
    x = pictures()
    logits = model(x, questions())
    assert logits.shape == (BATCH, ASKED, CLASSES)
    for i in range(ASKED):
        alone = model(x, questions()[:, i : i + 1])
        torch.testing.assert_close(alone, logits[:, i : i + 1])
    # The same question twice has the same answer; other questions have others.
    torch.testing.assert_close(logits[1, 1], logits[1, 2])
    assert not torch.allclose(logits[0, 0], logits[0, 1])


def test_the_stem_runs_once_for_all_questions():
    model, calls = reader().eval(), []
    model.stem.register_forward_hook(lambda *_: calls.append(1))
    model(pictures(), questions())
    assert len(calls) == 1


def test_the_map_of_each_question_can_be_recorded():
    model = reader().eval()
    with record_attention(model) as maps:
        model(pictures(), questions())
    assert list(maps) == ["pool.attention"]
    assert maps["pool.attention"].shape == (BATCH, 1, ASKED, 7 * 9)


@EVERY_POOL
def test_it_learns_what_depends_on_the_question(name):
    """Two pixels, red and green, bright or dark: the question says which is meant."""
    generator = torch.Generator().manual_seed(0)
    images = torch.zeros(64, 3, 2, 2)
    labels = torch.randint(2, (64, 2), generator=generator)
    images[:, 0, 0, 0], images[:, 1, 1, 1] = labels[:, 0].float(), labels[:, 1].float()
    asked = torch.tensor([0, 1]).expand(64, 2)

    def loss(model, batch):
        pictures, asked, wanted = batch
        return F.cross_entropy(model(pictures, asked).flatten(0, 1), wanted.flatten())

    model = PictureReader(
        ConvStem((3, 8), strides=(1,)), POOLS[name](), num_questions=2, num_classes=2
    )
    options = {"learning_rate": 1e-2, "device": "cpu", "progress": False}
    history = fit(model, [(images, asked, labels)], steps=80, loss=loss, **options)
    assert history.loss[0] > 0.4
    assert history.loss[-1] < 0.1


def test_it_works_in_float64_and_bfloat16():
    model, x = reader().eval(), pictures()
    exact = model.double()(x.double(), questions())
    half = model.bfloat16()(x.bfloat16(), questions())
    assert exact.dtype == torch.float64
    assert half.dtype == torch.bfloat16
    assert (half.double() - exact).abs().max() < 0.1


@COMPILES
def test_it_compiles_whole():
    model, x = reader().eval(), pictures()
    fast = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(fast(x, questions()), model(x, questions()))


@pytest.mark.usefixtures("own_errors")
def test_bad_input_is_named():
    with refused(ValueError, "strides", "2", "got 3"):
        ConvStem(CHANNELS, strides=(1, 2, 1))
    for size in ("num_questions", "num_classes", "hidden_dim"):
        with refused(ValueError, size, "positive", "0"):
            reader(**{size: 0})
        with refused(TypeError, size, "integer", "str"):
            reader(**{size: "3"})
    model = reader()
    with refused(ValueError, "pictures", "3 channels", "got 1"):
        model(pictures(channels=1), questions())
    with refused(ValueError, "pictures", "(3, 13, 17)"):
        model(pictures()[0], questions())
    with refused(ValueError, "questions", "0 to 6", "7"):
        model(pictures(), torch.full((BATCH, 1), 7))
    with refused(ValueError, "questions", "(batch, question)"):
        model(pictures(), torch.zeros(BATCH, dtype=torch.int64))
    with refused(TypeError, "questions", "int32"):
        model(pictures(), questions().int())
