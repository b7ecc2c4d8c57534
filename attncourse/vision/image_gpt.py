"""A small GPT that writes pictures patch by patch (chapter 17).

words = picture_words(pictures, 2)  # (batch, 64) for 16x16 pixels of ink or none
logits = model(words)               # of each word, from those before it
loss = cross_entropy(logits.flatten(0, 1), words.flatten())
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from attncourse.attention import KeyValueCache
from attncourse.checks import as_column, require_ids, require_integer, require_tokens
from attncourse.masks import causal_mask
from attncourse.positions import LearnedPositions
from attncourse.transformer import Encoder
from attncourse.vision.patches import patchify, require_patch_size


def picture_words(
    pictures: Float[Tensor, "batch 1 height width"], patch_size: int
) -> Int64[Tensor, "batch patch"]:
    """Read each patch of a picture in ink as one word (chapter 17).

    A patch of P x P pixels is one of 2^(P * P) words: its pixels are the digits of a binary number,
    the first pixel the highest, 1 where there is more ink than a half.

    Args:
        pictures: (batch, 1, height, width), from 0 to 1.
        patch_size: P, which divides height and width, 4 at most.

    Returns:
        (batch, patches), row by row.

    Raises:
        TypeError: if the pictures are not floating point, or `patch_size` is no integer.
        ValueError: if the pictures are not (batch, 1, height, width), or `patch_size` does not
            divide their sides, or is too large.

    Example:
        >>> import torch
        >>> picture_words(torch.tensor([[[[0.0, 1.0], [1.0, 0.0]]]]), 2)
        tensor([[6]])
    """
    _require_small(patch_size)
    patches = patchify(pictures, patch_size)  # (batch, patch, patch_size ** 2)
    if pictures.shape[1] != 1:
        raise ValueError(f"pictures must have 1 channel, got {pictures.shape[1]}")
    return ((patches > 0.5) * _digits(patch_size, pictures.device)).sum(-1)


def words_picture(
    words: Int64[Tensor, "batch patch"], patch_size: int, *, columns: int
) -> Float[Tensor, "batch 1 height width"]:
    """Paint words as the patches that they stand for: `picture_words` backwards (chapter 17).

    Args:
        words: (batch, patches), row by row, as many as make full rows.
        patch_size: side of a patch in pixels, 4 at most.
        columns: how many patches a row has.

    Returns:
        (batch, 1, height, width) in float32, 1 where there is ink and 0 elsewhere.

    Raises:
        TypeError: if the words are not int64, or a size is no integer.
        ValueError: if the words are not (batch, patches), do not make full rows, or one is unknown.

    Example:
        >>> words_picture(torch.tensor([[6]]), 2, columns=1).int().tolist()
        [[[[0, 1], [1, 0]]]]
    """
    require_tokens("words", words, "(batch, patches)")
    _require_small(patch_size)
    require_integer("columns", columns, least=1)
    if words.shape[1] % columns or not words.shape[1]:
        raise ValueError(f"words must make full rows of {columns}, got {words.shape[1]}")
    require_ids("words", words, 2 ** (patch_size * patch_size))
    pixels = (words[..., None] & _digits(patch_size, words.device)) > 0  # (batch, patch, values)
    grid = pixels.unflatten(2, (patch_size, patch_size)).unflatten(1, (-1, columns))
    # (batch, row, column, y, x) -> (batch, row, y, column, x)
    return grid.transpose(2, 3).flatten(3).flatten(1, 2)[:, None].float()


def picture_window_mask(rows: int, columns: int, width: int) -> Bool[Tensor, "query key"]:
    """Let the place of each word see only the words just around it (chapter 17).

    Queries are the places to fill, row by row. Key j holds the word before place j, key 0 the begin
    mark. A place sees the words of the window around it, of those that are written, and its own
    key, which knows which place it is.

    Args:
        rows, columns: of patches.
        width: of the window, an odd number; 3 gives the four neighbours left and above.

    Returns:
        (query, key), rows * columns of each, True where attention is allowed.

    Raises:
        TypeError: if a size is no integer.
        ValueError: if a size is not positive, or `width` is even.

    Source: Parmar et al. 2018, section 3.2, has local windows, there blocks of many pixels.

    Example:
        >>> picture_window_mask(2, 2, 3).int().tolist()[3]  # left and above, and itself
        [0, 1, 1, 1]
    """
    for name, size in (("rows", rows), ("columns", columns), ("width", width)):
        require_integer(name, size, least=1)
    if width % 2 == 0:
        raise ValueError(f"width must be odd, got {width}")
    place = torch.arange(rows * columns)
    row, column = place // columns, place % columns
    near = (row[:, None] - row).abs().maximum((column[:, None] - column).abs()) <= width // 2
    shown = near.roll(1, dims=1)  # key j holds word j - 1
    shown[:, 0] = False  # no word there, but the begin mark
    return (shown & causal_mask(rows * columns)) | torch.eye(rows * columns, dtype=torch.bool)


class ImageGPT(nn.Module):
    """Write the words of a picture one after the other, row by row (chapter 17, eq. 17.2).

    To draw pictures, `attncourse.decoding.sample(model, model.blank(count), **model.marks)`.

    Args:
        num_words: how many there are, 2^(P * P) for patches of P x P pixels.
        rows, columns: of patches.
        window: see `picture_window_mask`; None lets each place see all words before it.
        num_layers, embed_dim, num_heads, ffn_dim: as for `Encoder`.
        options: as for `EncoderLayer`; the norm comes first unless told otherwise.

    Raises:
        TypeError: if a size is no integer; on a call, if the words are not int64.
        ValueError: if a size is not positive or the window even; on a call, if there is no picture,
            one has another number of words, or a word is unknown.

    Source: Chen et al. 2020, section 2, where a word is the colour of a pixel.

    Example:
        >>> sizes = {"num_layers": 2, "embed_dim": 6, "num_heads": 2, "ffn_dim": 12}
        >>> model = ImageGPT(16, rows=8, columns=8, **sizes)
        >>> model(torch.zeros(3, 64, dtype=torch.int64)).shape
        torch.Size([3, 64, 16])
    """

    def __init__(
        self,
        num_words: int,
        *,
        rows: int,
        columns: int,
        window: int | None = None,
        num_layers: int,
        embed_dim: int,
        num_heads: int,
        ffn_dim: int,
        **options: Any,
    ):
        super().__init__()
        for name, size in (("num_words", num_words), ("rows", rows), ("columns", columns)):
            require_integer(name, size, least=1)
        self.num_words = num_words
        length = rows * columns
        mask = causal_mask(length) if window is None else picture_window_mask(rows, columns, window)
        self.register_buffer("mask", mask, persistent=False)
        self.words = nn.Embedding(num_words + 1, embed_dim)  # the last is the begin mark
        self.positions = LearnedPositions(max_len=length, embed_dim=embed_dim)
        options = {"norm_first": True, "activation": "gelu"} | options
        sizes = {"embed_dim": embed_dim, "num_heads": num_heads, "ffn_dim": ffn_dim}
        self.encoder = Encoder(num_layers=num_layers, **sizes, **options)
        self.head = nn.Linear(embed_dim, num_words)

    def forward(self, words: Int64[Tensor, "batch patch"]) -> Float[Tensor, "batch patch words"]:
        """Give the logits of each word, from those before it.

        Args:
            words: (batch, rows * columns), whole pictures.

        Returns:
            (batch, rows * columns, num_words). Recorded maps are (batch, heads, place, key), where
            key j holds the word before place j.
        """
        self._require_words(words)
        begin = words.new_full((len(words), 1), self.num_words)
        read = torch.cat([begin, words[:, :-1]], 1)  # (batch, place): the word before each
        x = self.positions(self.words(read))  # (batch, place, embed_dim)
        x = self.encoder(x, self.mask)  # (batch, place, embed_dim)
        return self.head(x)

    @property
    def marks(self) -> dict[str, int]:
        """The marks and the length that `decoding.sample` asks for.

        No picture ends early: the end mark is an id that no word has.
        """
        begin = self.num_words
        return {"bos": begin, "eos": begin + 1, "pad": 0, "max_length": len(self.mask)}

    def blank(self, count: int) -> Int64[Tensor, "count 0"]:
        """Give so many sources without a word, on the device of the weights."""
        require_integer("count", count, least=1)
        return torch.empty(count, 0, dtype=torch.int64, device=self.words.weight.device)

    def start(self, source: Tensor, source_mask: Tensor | None = None) -> list[KeyValueCache]:
        """Give the state before the first word; there is nothing to read."""
        return [KeyValueCache() for _ in self.encoder.layers]

    def step(
        self, tokens: Int64[Tensor, "batch"], state: list[KeyValueCache]
    ) -> tuple[Float[Tensor, "batch words"], list[KeyValueCache]]:
        """Read one word a picture; give the logits of the next, and the state after it.

        The state that was given stays as it was.
        """
        tokens = as_column(tokens)  # (batch, 1)
        require_ids("tokens", tokens, self.num_words + 1)
        caches = [cache.copy() for cache in state]
        place = len(caches[0])
        x = self.positions(self.words(tokens), place)  # (batch, 1, embed_dim)
        x = self.encoder(x, self.mask[place : place + 1, : place + 1], caches=caches)
        return self.head(x)[:, 0], caches

    def _require_words(self, words: Any) -> None:
        require_tokens("words", words, "(batch, patches)")
        if words.shape[1] != len(self.mask) or len(words) == 0:
            raise ValueError(
                f"words must be (batch, {len(self.mask)}) with one picture or more, "
                f"got {tuple(words.shape)}"
            )
        require_ids("words", words, self.num_words)


def _require_small(patch_size: int) -> None:
    require_patch_size(patch_size, (0, 0))
    if patch_size > 4:
        raise ValueError(f"patch_size must be at most 4, or there are too many words: {patch_size}")


def _digits(patch_size: int, device: torch.device) -> Int64[Tensor, "values"]:
    """Give what each pixel of a patch counts in its binary number."""
    return 2 ** torch.arange(patch_size * patch_size - 1, -1, -1, device=device)
