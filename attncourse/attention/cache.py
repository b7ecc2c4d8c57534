"""Keys and values that are kept from call to call (chapters 10 and 12).

After three words a fourth comes. The keys of the three were projected before, and stay:

    >>> keys, new_key = torch.randn(2, 5, 3, 7), torch.randn(2, 5, 1, 7)
    >>> keys = torch.cat([keys, new_key], -2)  # (batch, kv_heads, length, head_dim)
    >>> keys.shape
    torch.Size([2, 5, 4, 7])

So it is with the values. The class below does this for one layer; where no gradient is asked for,
it writes them into a buffer instead, so that what is there need not be copied for each word.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from attncourse.attention.buffer import Buffer
from attncourse.checks import require_same_kind, values_unknown


class KeyValueCache:
    """The keys and values that one layer has projected so far (chapters 10 and 12).

    A decoder that writes word by word would project all earlier words again at every step. With a
    cache, a layer appends what is new and attends to everything in it. A layer's `project_memory`
    gives a cache that is complete: nothing is appended any more, as when all that is looked at is a
    sentence read before.

    What a cache holds is never changed, only replaced by more, so a `copy` shares it and costs
    nothing. Without gradients there is room for more behind it, see `Buffer`: a token is appended
    without a copy of all before it.

    Attributes:
        key: (batch, kv_heads, length, head_dim), or None while it is empty.
        value: the same, of the values.
        complete: whether nothing more is appended.

    Example:
        >>> from attncourse import MultiHeadAttention
        >>> layer, cache = MultiHeadAttention(6, num_heads=2), KeyValueCache()
        >>> first, second = torch.randn(1, 3, 6), torch.randn(1, 1, 6)
        >>> _ = layer(first, causal=True, cache=cache)
        >>> stepped = layer(second, causal=True, cache=cache)
        >>> whole = layer(torch.cat([first, second], 1), causal=True)
        >>> len(cache), torch.allclose(stepped, whole[:, 3:], atol=1e-6)
        (4, True)
    """

    def __init__(self) -> None:
        self.key: Tensor | None = None
        self.value: Tensor | None = None
        self.complete = False
        self._owner: Any = None  # the layer whose keys and values these are
        self._buffer: Buffer | None = None  # where they stand, shared with the copies

    def __len__(self) -> int:
        return 0 if self.key is None else self.key.shape[-2]

    def append(
        self,
        layer: Any,
        key: Float[Tensor, "batch kv_heads length head_dim"],
        value: Float[Tensor, "batch kv_heads length head_dim"],
    ) -> None:
        """Add a layer's new keys and values behind those that are there.

        Raises:
            TypeError: if dtypes disagree.
            ValueError: if the cache is another layer's or complete, or the shapes or devices
                disagree.
        """
        self.commit(layer, *self.reserve(layer, key, value))

    def reserve(self, layer: Any, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Give old and new keys and values. The cache holds them after `commit`, not yet: a call
        that is refused in between leaves it as it was."""
        self._require_appendable(layer, key, value)
        if self.key is None:
            return key, value
        if torch.is_grad_enabled() or values_unknown(key):  # nothing may be written in place
            return torch.cat([self.key, key], -2), torch.cat([self.value, value], -2)
        if self._buffer is None or not self._buffer.takes(key, after=(self.key, self.value)):
            self._buffer = Buffer(self.key, self.value, capacity=2 * (len(self) + key.shape[-2]))
        return self._buffer.append(key, value)

    def commit(self, layer: Any, key: Tensor, value: Tensor) -> None:
        """Hold from now on what `reserve` gave."""
        self.key, self.value, self._owner = key, value, layer

    def read(self, layer: Any) -> tuple[Tensor, Tensor]:
        """Give all keys and values to the layer that projected them."""
        self.require_owner(layer)
        return self.key, self.value

    def require_owner(self, layer: Any) -> None:
        """Refuse a layer that is not the one whose keys and values these are."""
        if self._owner is not None and self._owner is not layer:
            raise ValueError(
                "cache belongs to another layer, perhaps of another model: every layer needs a "
                f"cache of its own (its keys are {tuple(self.key.shape)})"
            )

    def copy(self) -> KeyValueCache:
        """Give a cache that holds the same, and can go on from here on its own."""
        new = KeyValueCache()
        new.__dict__.update(self.__dict__)
        return new

    def select(self, index: Int64[Tensor, "rows"]) -> KeyValueCache:
        """Give a cache of some rows of the batch, in this order (see `attncourse.decoding`)."""
        new = self.copy()
        new._buffer = None
        if self.key is not None:
            new.key, new.value = self.key.index_select(0, index), self.value.index_select(0, index)
        return new

    def _require_appendable(self, layer: Any, key: Tensor, value: Tensor) -> None:
        self.require_owner(layer)
        if self.complete:
            raise ValueError(
                f"cache is complete, its {len(self)} keys were projected before: give no key to a "
                "layer that is called with it"
            )
        if key.shape[:3] != value.shape[:3]:
            raise ValueError(
                "key and value disagree in batch, heads or length: "
                f"{tuple(key.shape)} and {tuple(value.shape)}"
            )
        if self.key is not None:
            _require_same_sizes("key", self.key, key)
            _require_same_sizes("value", self.value, value)

    def __getstate__(self) -> dict[str, Any]:
        """What is copied or saved is keys and values, and not the layer that made them."""
        return self.__dict__ | {"_owner": None, "_buffer": None}

    def __repr__(self) -> str:
        shape = "empty" if self.key is None else f"key {tuple(self.key.shape)}"
        return f"KeyValueCache({shape}{', complete' if self.complete else ''})"


def _require_same_sizes(name: str, held: Tensor, new: Tensor) -> None:
    if held.shape[:2] + held.shape[3:] != new.shape[:2] + new.shape[3:]:
        raise ValueError(
            f"cache holds a {name} of shape {tuple(held.shape)}, (batch, kv_heads, length, "
            f"head_dim), to which {tuple(new.shape)} cannot be appended"
        )
    require_same_kind(name, held, new, of="cache")
