"""Room for keys and values that grow by one token at a time (chapter 12)."""

from __future__ import annotations

import torch
from torch import Tensor


class Buffer:
    """Keys and values of a cache and its copies, and room for `capacity` of them.

    Each cache holds a view of the beginning. The newest view grows in place; a cache that holds
    another one is copied into a buffer of its own first:

        buffer           k1 k2 k3 k4 __ __ __ __
        newest view      [---------]               k5 goes behind k4
        a copy's, older  [------]                  behind k3 is no room for its own k4
    """

    def __init__(self, key: Tensor, value: Tensor, capacity: int):
        self.keys = key.new_empty((*key.shape[:2], capacity, key.shape[3]))
        self.values = value.new_empty((*value.shape[:2], capacity, value.shape[3]))
        self.length = 0
        self.append(key, value)

    def takes(self, key: Tensor, after: tuple[Tensor, Tensor]) -> bool:
        """Whether there is room for new keys, and what they come after is the newest view."""
        room = self.length + key.shape[-2] <= self.keys.shape[-2]
        newest = after[0] is self.newest[0] and after[1] is self.newest[1]
        # What inference mode has made can be changed only there.
        writable = torch.is_inference_mode_enabled() or not self.keys.is_inference()
        return room and newest and writable

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Put them behind the others, and give views of all."""
        start, self.length = self.length, self.length + key.shape[-2]
        self.keys[:, :, start : self.length] = key
        self.values[:, :, start : self.length] = value
        self.newest = self.keys[:, :, : self.length], self.values[:, :, : self.length]
        return self.newest
