"""A tagger (chapter 14): what a word is, what stands around it, what is said elsewhere.

x = embedding(pieces)                       # the word itself, (batch, length, embed_dim)
read = reader(x)                            # in its sentence, (batch, length, embed_dim)
found = context(read)                       # in the whole text, (batch, length, embed_dim)
logits = output([read; found])              # (batch, length, tag)
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from attncourse.attention import MultiHeadAttention
from attncourse.checks import (
    require_counted,
    require_dropout,
    require_integer,
    require_known,
    require_no_hole,
    require_same_kind,
)


class PieceEmbedding(nn.Module):
    """Give a word the sum of its pieces' vectors, over the root of their number (chapter 14).

    Args:
        buckets: how many numbers a piece may have, see `attncourse.data.tagged.word_pieces`.
        embed_dim: width of a word.

    Raises:
        TypeError, ValueError: if a size is no positive integer; on a call, if the pieces are not
            (batch, length, pieces) or hold an unknown number.

    Source: Bojanowski et al. 2017, section 3.2; the root keeps long words as large as short ones.

    Example:
        >>> PieceEmbedding(10, 4)(torch.tensor([[[3, 5, 0], [0, 0, 0]]])).shape
        torch.Size([1, 2, 4])
    """

    def __init__(self, buckets: int, embed_dim: int):
        super().__init__()
        require_integer("buckets", buckets, least=1)
        require_integer("embed_dim", embed_dim, least=1)
        self.embedding = nn.Embedding(buckets, embed_dim, padding_idx=0)

    def forward(
        self, pieces: Int64[Tensor, "batch length pieces"]
    ) -> Float[Tensor, "batch length embed_dim"]:
        """Embed words given as pieces, where 0 is padding."""
        _require_pieces(pieces, self.embedding)
        count = (pieces != 0).sum(-1, keepdim=True).clamp(min=1)  # (batch, length, 1)
        words = pieces.flatten(0, 1)  # (batch * length, pieces)
        summed = F.embedding_bag(words, self.embedding.weight, mode="sum", padding_idx=0)
        summed = summed.unflatten(0, pieces.shape[:2])  # (batch, length, embed_dim)
        return summed / count.to(summed.dtype).sqrt()


class NeighbourReader(nn.Module):
    r"""Read each word with its neighbours, by two convolutions (chapter 14).

    $$x_i \leftarrow x_i + \operatorname{GELU}\Bigl(b + \sum_{j=-r}^{r} W_j\, x_{i+j}\Bigr),
      \quad \text{twice}$$

    Padding counts as zero. What stands more than 2r words away is never heard.

    Args:
        embed_dim: width of a word.
        reach: r, how many words on each side one convolution sees.

    Raises:
        TypeError, ValueError: if a size is no positive integer; on a call, if x has another shape
            or dtype.

    Source: Collobert et al. 2011, section 3.3.1, has one such window over words; the sum with
    what went in is He et al.'s, 2016.

    Example:
        >>> NeighbourReader(6, reach=2)(torch.randn(2, 5, 6)).shape
        torch.Size([2, 5, 6])
    """

    def __init__(self, embed_dim: int, *, reach: int = 2):
        super().__init__()
        require_integer("embed_dim", embed_dim, least=1)
        require_integer("reach", reach, least=1)
        self.embed_dim = embed_dim
        sizes = {"kernel_size": 2 * reach + 1, "padding": reach}
        self.convolutions = nn.ModuleList(nn.Conv1d(embed_dim, embed_dim, **sizes) for _ in "12")

    def forward(
        self,
        x: Float[Tensor, "batch length embed_dim"],
        *,
        padding_mask: Bool[Tensor, "batch length"] | None = None,
    ) -> Float[Tensor, "batch length embed_dim"]:
        """Read (batch, length, embed_dim); zeros come out at padding."""
        _require_words(x, self.embed_dim, self.convolutions[0].weight)
        if padding_mask is not None:
            require_counted("padding_mask", padding_mask, x.shape[:2], "(batch, length)")
        x = _silence(x, padding_mask)
        for convolution in self.convolutions:
            heard = convolution(x.mT).mT  # (batch, length, embed_dim)
            x = _silence(x + F.gelu(heard), padding_mask)
        return x


class MeanContext(nn.Module):
    r"""Give every word the same: a mean over the text (chapter 14).

    $$\bar{v} = W_2 \,\frac{1}{n} \sum_{j=1}^{n} \max(0, W_1 x_j + b_1) + b_2$$

    It stands where attention could, with as many weights and as wide: an attention that does not
    ask. The layer inside is twice as wide, which makes up for the matrices of query and key.

    Args:
        embed_dim: width of a word.

    Raises:
        TypeError, ValueError: if the width is no positive integer; on a call, if x has another
            shape or dtype.

    Source: Zaheer et al. 2017, section 3, the sum there a mean here.

    Example:
        >>> out = MeanContext(6)(torch.randn(2, 5, 6))
        >>> out.shape, torch.equal(out[:, 0], out[:, 4])
        (torch.Size([2, 5, 6]), True)
    """

    def __init__(self, embed_dim: int):
        super().__init__()
        require_integer("embed_dim", embed_dim, least=1)
        self.embed_dim = embed_dim
        self.expand = nn.Linear(embed_dim, 2 * embed_dim)
        self.contract = nn.Linear(2 * embed_dim, embed_dim)

    def forward(
        self,
        x: Float[Tensor, "batch length embed_dim"],
        *,
        padding_mask: Bool[Tensor, "batch length"] | None = None,
    ) -> Float[Tensor, "batch length embed_dim"]:
        """Give each word of (batch, length, embed_dim) the mean over the real words."""
        _require_words(x, self.embed_dim, self.expand.weight)
        inside = self.expand(x).relu()  # (batch, length, 2 * embed_dim)
        if padding_mask is None:
            mean = inside.mean(1, keepdim=True)
        else:
            require_counted("padding_mask", padding_mask, x.shape[:2], "(batch, length)")
            count = padding_mask.sum(1).clamp(min=1)[:, None, None]  # (batch, 1, 1)
            mean = _silence(inside, padding_mask).sum(1, keepdim=True) / count.to(x.dtype)
        return self.contract(mean).expand_as(x)  # (batch, 1, embed_dim), once for every word


class Tagger(nn.Module):
    """Give every word of a text a score for each tag (chapter 14).

    Args:
        buckets: how many numbers a piece of a word may have.
        embed_dim: width of a word.
        num_tags: how many tags there are.
        reader: called as `reader(x, padding_mask=...)`, keeps the shape (batch, length,
            embed_dim): `NeighbourReader`, or an `Encoder` of a Transformer.
        context: called likewise on what was read, for what the word finds elsewhere:
            `MultiHeadAttention`, `MeanContext`, or None for nothing.
        dropout: share of the embeddings, and of what goes into the output, dropped in training.

    Raises:
        TypeError: if a size is no integer, or reader or context no module.
        ValueError: if a size is not positive, or `dropout` not in [0, 1).

    Example:
        >>> sizes = {"buckets": 100, "embed_dim": 6, "num_tags": 7}
        >>> attention = MultiHeadAttention(6, num_heads=1)
        >>> tagger = Tagger(**sizes, reader=NeighbourReader(6), context=attention)
        >>> tagger(torch.randint(100, (2, 5, 3))).shape
        torch.Size([2, 5, 7])
    """

    def __init__(
        self,
        *,
        buckets: int,
        embed_dim: int,
        num_tags: int,
        reader: nn.Module,
        context: nn.Module | None = None,
        dropout: float = 0.0,
    ):
        super().__init__()
        require_integer("num_tags", num_tags, least=1)
        require_dropout(dropout)
        for name, part in (("reader", reader), ("context", context)):
            if not isinstance(part, nn.Module) and (part is not None or name == "reader"):
                raise TypeError(f"{name} must be a module, got {type(part).__name__}")
        self.embedding = PieceEmbedding(buckets, embed_dim)
        self.reader = reader
        self.context = context
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(embed_dim if context is None else 2 * embed_dim, num_tags)

    def forward(
        self,
        pieces: Int64[Tensor, "batch length pieces"],
        *,
        padding_mask: Bool[Tensor, "batch length"] | None = None,
    ) -> Float[Tensor, "batch length tag"]:
        """Score the tags of each word.

        Args:
            pieces: (batch, length, pieces), the pieces of each word, filled up with 0.
            padding_mask: (batch, length), True at real words, which stand first.

        Returns:
            (batch, length, tag), logits. What stands at padding counts nowhere.
        """
        embedded = self.embedding(pieces)
        if padding_mask is not None:
            require_counted("padding_mask", padding_mask, pieces.shape[:2], "(batch, length)")
            require_no_hole(padding_mask=padding_mask)
        x = self.dropout(embedded)  # (batch, length, embed_dim)
        read = self.reader(x, padding_mask=padding_mask)  # (batch, length, embed_dim)
        if self.context is not None:
            found = self.context(read, padding_mask=padding_mask)  # (batch, length, embed_dim)
            read = torch.cat([read, found], -1)  # (batch, length, 2 * embed_dim)
        return self.output(self.dropout(read))


def start_alike(attention: MultiHeadAttention) -> MultiHeadAttention:
    """Set W_q and W_k to the identity: like finds like before any training (chapter 14).

    Both are trained on from there.

    Args:
        attention: a layer for self-attention, with as many heads for keys as for queries.

    Returns:
        The layer itself.

    Raises:
        TypeError: if it is no `MultiHeadAttention`.
        ValueError: if queries and keys have other widths than the words.

    Example:
        >>> layer = start_alike(MultiHeadAttention(4, num_heads=1))
        >>> torch.equal(layer.query_projection.weight, torch.eye(4))
        True
    """
    if not isinstance(attention, MultiHeadAttention):
        raise TypeError(f"attention must be MultiHeadAttention, got {type(attention).__name__}")
    projections = attention.query_projection, attention.key_projection
    shapes = [tuple(each.weight.shape) for each in projections]
    width = attention.embed_dim
    if shapes != [(width, width)] * 2:
        raise ValueError(
            f"attention must have W_q and W_k of {(width, width)}, got {shapes[0]} and {shapes[1]}"
        )
    with torch.no_grad():
        for projection in projections:
            nn.init.eye_(projection.weight)
    return attention


def _silence(x: Tensor, padding_mask: Tensor | None) -> Tensor:
    """Set what stands at padding to zero."""
    return x if padding_mask is None else x.masked_fill(~padding_mask[..., None], 0.0)


def _require_pieces(pieces: Any, embedding: nn.Embedding) -> None:
    if not isinstance(pieces, Tensor) or pieces.dtype is not torch.int64:
        kind = pieces.dtype if isinstance(pieces, Tensor) else type(pieces).__name__
        raise TypeError(f"pieces must be a tensor of torch.int64, got {kind}")
    if pieces.dim() != 3:
        raise ValueError(f"pieces must be (batch, length, pieces), got {tuple(pieces.shape)}")
    if 0 in pieces.shape[1:]:
        raise ValueError(
            f"pieces must have room for a word and a piece at least, got {tuple(pieces.shape)}"
        )
    require_known("pieces", pieces, embedding)


def _require_words(x: Any, width: int, weight: Tensor) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"x must be a tensor, got {type(x).__name__}")
    if x.dim() != 3 or x.shape[-1] != width:
        raise ValueError(f"x must be (batch, length, {width}), got shape {tuple(x.shape)}")
    if x.shape[1] == 0:
        raise ValueError(f"x must hold at least one word of each text, got shape {tuple(x.shape)}")
    require_same_kind("x", weight, x, of="the layer's weights")
