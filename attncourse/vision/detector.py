"""Detectors (chapter 16): queries that look at a picture and at each other, and a grid of cells.

memory = encoder(stem(pictures) + place(positions))     # (batch, position, embed_dim)
for layer in layers:
    x = layer(x, memory, place(anchors))                # (batch, query, embed_dim)
    anchors = sigmoid(logit(anchors) + refine(x))       # (batch, query, 4)
    say(x), anchors                                     # each layer's classes and boxes
"""

from __future__ import annotations

import math
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.attention import MultiHeadAttention
from attncourse.checks import require_bool, require_integer
from attncourse.transformer import Encoder, FeedForward, Residual
from attncourse.vision.boxes import to_corners
from attncourse.vision.detections import SetPrediction
from attncourse.vision.reader import ConvStem


def places(points: Float[Tensor, "*batch 2"], width: int) -> Float[Tensor, "*batch width"]:
    r"""Give points of a picture codes of sines and cosines, half of them for x (chapter 16).

    Args:
        points: (..., 2), x and y as shares of the sides.
        width: of a code, a multiple of 4.

    Returns:
        (..., width): sines of x, cosines of x, then of y. The wave lengths go from two sides of
        the picture down to a sixteenth, so the product of two codes falls with their distance.

    Source: Carion et al. 2020, appendix A.4, has chapter 08's code for x and y, with wave lengths
    that do not fit a map of so few positions.

    Example:
        >>> here, near, far = places(torch.tensor([[0.5, 0.5], [0.6, 0.5], [0.9, 0.1]]), 64)
        >>> bool(here @ near > here @ far)
        True
    """
    waves = width // 4
    steps = torch.linspace(0, 1, waves, dtype=points.dtype, device=points.device)
    angle = math.pi * points[..., None] * 32**steps  # (..., 2, waves)
    return torch.cat([angle.sin(), angle.cos()], dim=-1).flatten(-2)


class QueryLayer(nn.Module):
    """Queries look at each other, then at the picture, then think (chapter 16).

    Args:
        embed_dim, num_heads, ffn_dim: as for `EncoderLayer`.
        talk: whether queries see each other. If not, each sees itself alone, with the same weights.
        look: whether a query chooses where to look. If not, all keys are alike, and it gets the
            mean of the picture, with the same weights.

    Source: Carion et al. 2020, section 3.2 and appendix A.3: places are added to queries and keys,
    never to values. It is `DecoderLayer` without the causal mask.

    Example:
        >>> layer = QueryLayer(8, num_heads=2, ffn_dim=11)
        >>> x, memory = torch.randn(2, 5, 8), torch.randn(2, 7, 8)
        >>> layer(x, memory, torch.randn(2, 5, 8), torch.randn(7, 8)).shape
        torch.Size([2, 5, 8])
    """

    def __init__(
        self, embed_dim: int, *, num_heads: int, ffn_dim: int, talk: bool = True, look: bool = True
    ):
        super().__init__()
        require_bool("talk", talk)
        require_bool("look", look)
        self.talk, self.look = talk, look
        self.self_attention = MultiHeadAttention(embed_dim, num_heads=num_heads)
        self.self_attention_residual = Residual(embed_dim)
        self.cross_attention = MultiHeadAttention(embed_dim, num_heads=num_heads)
        # A query's place and a position's are turned alike, so at first it looks at what is near.
        self.cross_attention.key_projection.load_state_dict(
            self.cross_attention.query_projection.state_dict()
        )
        self.cross_attention_residual = Residual(embed_dim)
        self.feed_forward = FeedForward(embed_dim, ffn_dim=ffn_dim)
        self.feed_forward_residual = Residual(embed_dim)

    def forward(
        self,
        x: Float[Tensor, "batch query embed_dim"],
        memory: Float[Tensor, "batch position embed_dim"],
        query_place: Float[Tensor, "batch query embed_dim"],
        memory_place: Float[Tensor, "position embed_dim"],
    ) -> Float[Tensor, "batch query embed_dim"]:
        """Give each query a new vector.

        Args:
            x: (batch, query, embed_dim), what the queries hold so far.
            memory: (batch, position, embed_dim), the map of the picture.
            query_place: (batch, query, embed_dim), codes of where the queries stand.
            memory_place: (position, embed_dim), codes of where the positions stand.

        Returns:
            (batch, query, embed_dim).
        """
        x = self.self_attention_residual(x, partial(self._among_queries, place=query_place))
        looking = partial(self._at_picture, memory=memory, place=query_place, at=memory_place)
        x = self.cross_attention_residual(x, looking)
        return self.feed_forward_residual(x, self.feed_forward)

    def _among_queries(self, x: Tensor, place: Tensor) -> Tensor:
        alone = None
        if not self.talk:
            alone = torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
        return self.self_attention(x + place, x + place, x, mask=alone)

    def _at_picture(self, x: Tensor, memory: Tensor, place: Tensor, at: Tensor) -> Tensor:
        key = memory + at if self.look else torch.zeros_like(memory)
        return self.cross_attention(x + place, key, memory)

    def extra_repr(self) -> str:
        return f"talk={self.talk}, look={self.look}"


class SetDetector(nn.Module):
    """Find all objects of a picture at once, each query at most one (chapter 16).

    A query starts at an anchor, a box that is learned; at first the anchors stand in a grid. Each
    layer moves and stretches its box. `record_attention` shows where each query looks, (batch,
    heads, query, position), as `layers.0.cross_attention`, and at which other queries, as
    `layers.0.self_attention`.

    Args:
        stem: makes the map of features, a `ConvStem`; its width is a multiple of 4.
        num_classes: without "no object".
        side: pixels of the pictures' sides.
        num_queries: a square number, the most objects that can be found.
        num_layers: of the queries; the encoder of the map has one.
        num_heads, ffn_dim: as for `EncoderLayer`.
        talk, look: see `QueryLayer`.

    Raises:
        TypeError: if a size is no integer; on a call, if the pictures have another dtype than the
            weights.
        ValueError: if a size does not fit; on a call, if the pictures have other sides or another
            number of channels.

    Source: Carion et al. 2020 for the set of queries, their matching and the losses on all layers;
    Liu et al. 2022 for the boxes as anchors that every layer refines. There the encoder has six
    layers and gets the codes of the places in each.

    Example:
        >>> stem = ConvStem((3, 5, 8), strides=(2, 2))
        >>> detector = SetDetector(stem, num_classes=3, side=12, num_queries=4, num_heads=2)
        >>> prediction = detector(torch.rand(2, 3, 12, 12))
        >>> prediction.logits.shape, prediction.boxes.shape
        (torch.Size([3, 2, 4, 4]), torch.Size([3, 2, 4, 4]))
    """

    def __init__(
        self,
        stem: ConvStem,
        *,
        num_classes: int,
        side: int,
        num_queries: int = 16,
        num_layers: int = 3,
        num_heads: int = 4,
        ffn_dim: int = 256,
        talk: bool = True,
        look: bool = True,
    ):
        super().__init__()
        sizes = {
            "num_classes": num_classes,
            "side": side,
            "num_queries": num_queries,
            "num_layers": num_layers,
        }
        for name, size in sizes.items():
            require_integer(name, size, least=1)
        width, across = stem.out_channels, math.isqrt(num_queries)
        if across**2 != num_queries:
            raise ValueError(f"num_queries must be a square number, got {num_queries}")
        if width % 4:
            raise ValueError(f"stem must give a multiple of 4 channels, got {width}")
        self.side = side
        self.stem = stem
        kind = {"num_heads": num_heads, "ffn_dim": ffn_dim}
        self.encoder = Encoder(num_layers=1, embed_dim=width, **kind)
        self.layers = nn.ModuleList(
            QueryLayer(width, **kind, talk=talk, look=look) for _ in range(num_layers)
        )
        self.content = nn.Parameter(torch.randn(num_queries, width) / math.sqrt(width))
        centres = _cell_centres(across, across)  # (query, 2)
        # One anchor is not quite as large as the picture: the logit of 1 would be infinite.
        sizes = torch.full_like(centres, min(1 / across, 0.9))
        self.anchors = nn.Parameter(torch.cat([centres, sizes], dim=-1).logit())  # before a sigmoid
        self.say = nn.Linear(width, num_classes + 1)
        self.refine = _box_head(width + 4)

    def forward(self, pictures: Float[Tensor, "batch channels side side"]) -> SetPrediction:
        """Say what each query of each layer has found.

        Args:
            pictures: (batch, channels, side, side).

        Returns:
            Logits and boxes of every layer, as training needs them; `detections` reads the last.
        """
        features = _features(self.stem, pictures, self.side)  # (batch, width, rows, columns)
        width = features.shape[1]
        at = places(_cell_centres(*features.shape[2:], like=features), width)  # (position, width)
        memory = self.encoder(features.flatten(2).mT + at)  # (batch, position, width)

        x = self.content.expand(len(pictures), -1, -1)  # (batch, query, width)
        anchors = self.anchors.expand(len(pictures), -1, -1)  # (batch, query, 4)
        logits, boxes = [], []
        for layer in self.layers:
            here = places(anchors[..., :2].sigmoid(), width)  # (batch, query, width)
            x = layer(x, memory, here, at)
            refined = anchors + self.refine(torch.cat([x, anchors], dim=-1))
            logits.append(self.say(x))
            boxes.append(to_corners(refined.sigmoid()))
            anchors = refined.detach()  # each layer answers for its own step
        return SetPrediction(torch.stack(logits), torch.stack(boxes))


class GridDetector(nn.Module):
    """Find objects cell by cell, with convolutions alone (chapter 16).

    Each cell of the map says what object has its centre there, if any, and its box. Cells do not
    know of each other who reports what: `suppress` what is found twice.

    Args:
        stem: makes the map of features, a `ConvStem`, one position a cell.
        num_classes: without "no object".
        side: pixels of the pictures' sides.

    Raises:
        TypeError, ValueError: as `SetDetector`.

    Source: Redmon et al. 2016, section 2, with one box a cell.

    Example:
        >>> stem = ConvStem((3, 5, 8), strides=(2, 2))
        >>> prediction = GridDetector(stem, num_classes=3, side=12)(torch.rand(2, 3, 12, 12))
        >>> prediction.logits.shape  # one layer, 3 x 3 cells
        torch.Size([1, 2, 9, 4])
    """

    def __init__(self, stem: ConvStem, *, num_classes: int, side: int):
        super().__init__()
        require_integer("num_classes", num_classes, least=1)
        require_integer("side", side, least=1)
        self.side = side
        self.stem = stem
        self.say = nn.Linear(stem.out_channels, num_classes + 1)
        self.refine = _box_head(stem.out_channels)

    def forward(self, pictures: Float[Tensor, "batch channels side side"]) -> SetPrediction:
        """Say what each cell has found, row by row, as a prediction of one layer."""
        features = _features(self.stem, pictures, self.side)
        centres = _cell_centres(*features.shape[2:], like=features)  # (cell, 2)
        anchors = torch.cat([centres, torch.full_like(centres, 1 / 3)], dim=-1).logit()
        x = features.flatten(2).mT  # (batch, cell, width)
        boxes = to_corners((anchors + self.refine(x)).sigmoid())
        return SetPrediction(self.say(x)[None], boxes[None])


def _features(stem: ConvStem, pictures: Tensor, side: int) -> Tensor:
    """Give the map of the pictures, which must have the sides that the detector is made for."""
    features = stem(pictures)
    if pictures.shape[2:] != (side, side):
        raise ValueError(
            f"pictures must be {side} x {side} pixels, got {pictures.shape[2]} x "
            f"{pictures.shape[3]}"
        )
    return features


def _cell_centres(rows: int, columns: int, like: Tensor | None = None) -> Float[Tensor, "cell 2"]:
    """Give x and y of the centres of a grid's cells, row by row, as shares of the sides."""
    kind = {} if like is None else {"dtype": like.dtype, "device": like.device}
    y, x = ((torch.arange(count, **kind) + 0.5) / count for count in (rows, columns))
    return torch.cartesian_prod(y, x).flip(-1)


def _box_head(width: int) -> nn.Sequential:
    """Make a network whose first answer is "leave the box as it is"."""
    last = nn.Linear(64, 4)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(width, 64), nn.ReLU(), last)
