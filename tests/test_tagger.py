"""attncourse.language.tagger: words, their neighbours, their text."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from references import redrawn
from support import refused
from torch import nn

from attncourse import MultiHeadAttention, padding_mask, record_attention
from attncourse.data.bio import TaggedText
from attncourse.data.tagged import TaggedBatches
from attncourse.language import (
    MeanContext,
    NeighbourReader,
    PieceEmbedding,
    Tagger,
    start_alike,
)
from attncourse.training import fit
from attncourse.transformer import Encoder

BATCH, LENGTH, PIECES, EMBED, TAGS, BUCKETS = 2, 11, 3, 6, 7, 97
LENGTHS = torch.tensor([11, 5])
CLOSE = {"rtol": 0, "atol": 1e-12}

CONTEXTS = {
    "attention": partial(MultiHeadAttention, EMBED, num_heads=2),
    "start alike": lambda: start_alike(MultiHeadAttention(EMBED, num_heads=1)),
    "mean": partial(MeanContext, EMBED),
    "nothing": lambda: None,
}
READERS = {
    "neighbours": partial(NeighbourReader, EMBED),
    "transformer": partial(
        Encoder, num_layers=2, embed_dim=EMBED, num_heads=1, ffn_dim=13, rotary=True
    ),
}
EVERY = pytest.mark.parametrize(
    ("reader", "context"),
    [("neighbours", context) for context in CONTEXTS] + [("transformer", "nothing")],
)


def tagger_of(reader: str = "neighbours", context: str = "attention", **options) -> Tagger:
    sizes = {"buckets": BUCKETS, "embed_dim": EMBED, "num_tags": TAGS}
    return Tagger(**sizes, reader=READERS[reader](), context=CONTEXTS[context](), **options)


def some_pieces() -> torch.Tensor:
    return torch.randint(1, BUCKETS, (BATCH, LENGTH, PIECES))


# Padding


@EVERY
def test_a_text_is_tagged_as_if_it_came_alone_and_unpadded(reader, context):
    tagger, pieces = redrawn(tagger_of(reader, context)), some_pieces()
    together = tagger(pieces, padding_mask=padding_mask(LENGTHS))
    assert together.shape == (BATCH, LENGTH, TAGS)
    alone = tagger(pieces[1:, :5])
    torch.testing.assert_close(together[1:, :5], alone, **CLOSE)
    torch.testing.assert_close(together[:1], tagger(pieces[:1]), **CLOSE)


@EVERY
def test_what_stands_at_padding_never_matters(reader, context):
    tagger, pieces = redrawn(tagger_of(reader, context)), some_pieces()
    mask = padding_mask(LENGTHS)
    before = tagger(pieces, padding_mask=mask)[mask]
    pieces[~mask] = 5
    assert torch.equal(tagger(pieces, padding_mask=mask)[mask], before)


@EVERY
def test_a_text_without_words_gives_no_nan(reader, context):
    tagger = redrawn(tagger_of(reader, context))
    mask = padding_mask(torch.tensor([11, 0]))
    logits = tagger(some_pieces(), padding_mask=mask)
    logits[mask].sum().backward()
    assert logits.isfinite().all()
    assert all(w.grad.isfinite().all() for w in tagger.parameters() if w.grad is not None)


@EVERY
def test_every_weight_learns(reader, context):
    tagger = redrawn(tagger_of(reader, context))
    tagger(some_pieces()).square().sum().backward()
    for name, weights in tagger.named_parameters():
        if "key_projection.bias" not in name:  # it moves all scores of a query alike
            assert weights.grad.abs().max() > 0, name


@EVERY
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_dtypes_work(reader, context, dtype):
    tagger = tagger_of(reader, context).to(dtype)
    logits = tagger(some_pieces(), padding_mask=padding_mask(LENGTHS))
    assert logits.dtype == dtype
    logits.float().square().sum().backward()
    assert logits.isfinite().all()


def test_a_tagger_works_where_it_is_sent(device):
    tagger, pieces = tagger_of().to(device), some_pieces().to(device)
    assert tagger(pieces, padding_mask=padding_mask(LENGTHS).to(device)).device.type == device.type


# Words


def test_a_word_is_the_sum_of_its_pieces_over_the_root_of_their_number():
    layer = redrawn(PieceEmbedding(BUCKETS, EMBED))
    rows = layer.embedding.weight
    found = layer(torch.tensor([[[3, 5, 0], [7, 0, 0], [0, 0, 0], [3, 3, 9]]]))[0]
    torch.testing.assert_close(found[0], (rows[3] + rows[5]) / math.sqrt(2), **CLOSE)
    torch.testing.assert_close(found[1], rows[7], **CLOSE)
    torch.testing.assert_close(found[3], (2 * rows[3] + rows[9]) / math.sqrt(3), **CLOSE)


def test_a_word_without_pieces_is_zero():
    layer = redrawn(PieceEmbedding(BUCKETS, EMBED))
    assert not layer(torch.zeros(1, 1, 2, dtype=torch.long)).any()


# Neighbours


@pytest.mark.parametrize("reach", [1, 2])
def test_a_word_hears_twice_the_reach_on_each_side(reach):
    reader = redrawn(NeighbourReader(EMBED, reach=reach))
    x = torch.randn(LENGTH, EMBED, dtype=torch.float64)
    slopes = torch.autograd.functional.jacobian(lambda x: reader(x[None])[0], x)
    heard = slopes.abs().amax((1, 3)) > 0  # (word, word heard)
    apart = (torch.arange(LENGTH)[:, None] - torch.arange(LENGTH)).abs()
    assert torch.equal(heard, apart <= 2 * reach)


def test_reading_is_the_formula():
    reader = redrawn(NeighbourReader(EMBED, reach=1))
    x = torch.randn(LENGTH, EMBED, dtype=torch.float64)
    found = reader(x[None])[0]
    for layer in reader.convolutions:
        padded = torch.cat([x.new_zeros(1, EMBED), x, x.new_zeros(1, EMBED)])
        windows = [
            sum(layer.weight[:, :, j] @ padded[i + j] for j in range(3)) for i in range(LENGTH)
        ]
        x = x + F.gelu(torch.stack(windows) + layer.bias)
    torch.testing.assert_close(found, x, **CLOSE)


# Text


def test_the_mean_is_the_formula_and_the_same_for_every_word():
    layer = redrawn(MeanContext(EMBED))
    x = torch.randn(BATCH, LENGTH, EMBED, dtype=torch.float64)
    found = layer(x, padding_mask=padding_mask(LENGTHS))
    for row, length in enumerate(LENGTHS.tolist()):
        inside = [F.relu(layer.expand.weight @ w + layer.expand.bias) for w in x[row, :length]]
        mean = layer.contract.weight @ (sum(inside) / length) + layer.contract.bias
        torch.testing.assert_close(found[row], mean.expand(LENGTH, -1), **CLOSE)


@pytest.mark.parametrize("width", [6, 64, 96])
def test_the_mean_is_as_large_as_attention(width):
    sizes = [
        sum(weights.numel() for weights in layer.parameters())
        for layer in (MeanContext(width), MultiHeadAttention(width, num_heads=1))
    ]
    assert sizes[1] - sizes[0] == width  # 4 d^2 + 3 d and 4 d^2 + 4 d


def test_the_tagger_reads_each_word_beside_what_it_found():
    tagger, pieces = redrawn(tagger_of()), some_pieces()
    read = tagger.reader(tagger.embedding(pieces))
    both = torch.cat([read, tagger.context(read)], -1)
    torch.testing.assert_close(tagger(pieces), tagger.output(both), **CLOSE)


def test_started_alike_a_word_looks_at_its_like():
    # Six words with orthogonal vectors, two of them the same: scores d / root(d) = 64 / 8.
    layer = start_alike(MultiHeadAttention(64, num_heads=1))
    x = 8 * torch.eye(64)[[0, 1, 2, 0, 3, 4]][None]
    with record_attention(layer) as maps:
        layer(x)
    weights = maps[""][0, 0]
    like = math.exp(8) / (2 * math.exp(8) + 4)
    assert weights[0, 0].item() == weights[0, 3].item() == pytest.approx(like, rel=1e-4)
    assert weights[1, 1].item() == pytest.approx(math.exp(8) / (math.exp(8) + 5), rel=1e-4)


def test_the_start_is_the_identity_and_is_trained_on():
    layer = start_alike(MultiHeadAttention(EMBED, num_heads=2))
    for projection in (layer.query_projection, layer.key_projection):
        assert torch.equal(projection.weight, torch.eye(EMBED))
        assert not projection.bias.any()
        assert projection.weight.requires_grad


def test_attention_is_recorded_under_its_name():
    tagger = tagger_of()
    with record_attention(tagger) as maps:
        tagger(some_pieces(), padding_mask=padding_mask(LENGTHS))
    assert maps["context"].shape == (BATCH, 2, LENGTH, LENGTH)
    assert not maps["context"][1, :, :, 5:].any()
    assert list(maps) == ["context"]


# Training


def test_a_tagger_learns_by_heart_through_fit():
    texts = [
        TaggedText(("in", "velora"), ("O", "B-place")),
        TaggedText(("ada", "lo", "sings"), ("B-person", "I-person", "O")),
    ]
    tags = ["O", "B-person", "I-person", "B-place"]
    tagger = Tagger(buckets=BUCKETS, embed_dim=EMBED, num_tags=4, reader=NeighbourReader(EMBED))

    def loss(model, batch):
        logits = model(batch.pieces, padding_mask=batch.mask)
        return F.cross_entropy(logits[batch.mask], batch.tags[batch.mask])

    batches = TaggedBatches(texts, tags, buckets=BUCKETS, size=2)
    options = {"learning_rate": 0.03, "device": "cpu", "progress": False}
    history = fit(tagger, batches, steps=60, loss=loss, **options)
    assert history.loss[-1] < 0.05 < history.loss[0]


# Bad input


def test_what_is_no_part_of_a_tagger_is_refused(own_errors):
    sizes = {"buckets": BUCKETS, "embed_dim": EMBED}
    with refused(TypeError, "reader", "NoneType"):
        Tagger(**sizes, num_tags=3, reader=None)
    with refused(TypeError, "context", "str"):
        Tagger(**sizes, num_tags=3, reader=NeighbourReader(EMBED), context="mean")
    with refused(ValueError, "num_tags", "0"):
        Tagger(**sizes, num_tags=0, reader=NeighbourReader(EMBED))
    with refused(ValueError, "dropout", "1.5"):
        Tagger(**sizes, num_tags=3, reader=NeighbourReader(EMBED), dropout=1.5)
    with refused(ValueError, "reach", "0"):
        NeighbourReader(EMBED, reach=0)
    with refused(TypeError, "embed_dim", "float"):
        MeanContext(6.0)


def test_pieces_that_do_not_fit_are_refused(own_errors):
    tagger = tagger_of()
    with refused(TypeError, "pieces", "float32"):
        tagger(torch.zeros(2, 3, 4))
    with refused(ValueError, "pieces", "(2, 3)"):
        tagger(torch.zeros(2, 3, dtype=torch.long))
    for empty in ((2, 0, 4), (2, 3, 0)):
        with refused(ValueError, "pieces", str(empty)):
            tagger(torch.zeros(empty, dtype=torch.long))
    with refused(ValueError, "pieces", "0 to 96", "97"):
        tagger(torch.full((2, 3, 4), 97))
    with refused(ValueError, "padding_mask", "(2, 11)", "(2, 5)"):
        tagger(some_pieces(), padding_mask=torch.ones(2, 5, dtype=torch.bool))
    with refused(ValueError, "padding_mask", "True after False"):
        tagger(some_pieces(), padding_mask=~padding_mask(LENGTHS))


@pytest.mark.parametrize("layer", [NeighbourReader(EMBED), MeanContext(EMBED)])
def test_words_that_do_not_fit_are_refused(own_errors, layer):
    with refused(ValueError, "x", "6", "(2, 3, 7)"):
        layer(torch.zeros(2, 3, 7))
    with refused(ValueError, "x", "(2, 0, 6)"):
        layer(torch.zeros(2, 0, EMBED))
    with refused(TypeError, "x", "float64", "float32"):
        layer(torch.zeros(2, 3, EMBED, dtype=torch.float64))
    with refused(TypeError, "x", "list"):
        layer([1.0])
    with refused(TypeError, "padding_mask", "int64"):
        layer(torch.zeros(2, 3, EMBED), padding_mask=torch.ones(2, 3, dtype=torch.long))


def test_a_layer_that_cannot_start_alike_is_refused(own_errors):
    with refused(ValueError, "attention", "(6, 6)", "(3, 6)"):
        start_alike(MultiHeadAttention(EMBED, num_heads=2, num_kv_heads=1))
    with refused(TypeError, "attention", "Linear"):
        start_alike(nn.Linear(3, 3))
