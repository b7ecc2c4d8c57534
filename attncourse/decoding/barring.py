"""A model that some tokens never occur to (chapter 12)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from attncourse.checks import require_integer


class Barring(nn.Module):
    """A model with the logits of some tokens at minus infinity, for any search (chapter 12).

    Nobody can do anything with `<unk>` in a text: where the model finds it likeliest, the next
    likeliest token stands.

    Args:
        model: has `start` and `step`, and perhaps `read`.
        tokens: the ids that never come.

    Raises:
        TypeError: if one is no integer.
        ValueError: if one is negative; at a step, if the model has no such id.

    Example:
        >>> from attncourse.language import CausalLanguageModel, LanguageModelConfig
        >>> config = LanguageModelConfig(97, embed_dim=12, num_heads=3, ffn_dim=17, num_layers=1)
        >>> model = Barring(CausalLanguageModel(config).eval(), [3])
        >>> logits, _ = model.step(torch.tensor([5]), model.start())
        >>> logits[0, 3].item()
        -inf
    """

    def __init__(self, model: nn.Module, tokens: Sequence[int]):
        super().__init__()
        self.model = model
        self.tokens = list(tokens)
        for token in self.tokens:
            require_integer("tokens", token, least=0)
        if callable(getattr(model, "read", None)):
            self.read = self._read

    def start(self, source: Tensor | None = None, source_mask: Tensor | None = None) -> Any:
        return self.model.start(source, source_mask)

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self._barred(*self.model.step(tokens, state))

    def _read(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self._barred(*self.model.read(tokens, state))

    def _barred(self, logits: Tensor, state: Any) -> tuple[Tensor, Any]:
        if max(self.tokens, default=0) >= logits.shape[-1]:
            raise ValueError(
                f"tokens must hold ids from 0 to {logits.shape[-1] - 1}, got {max(self.tokens)}"
            )
        logits = logits.clone()  # the model may still need its own
        logits[:, self.tokens] -= torch.inf  # a NaN stays one
        return logits, state
