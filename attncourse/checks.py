"""What models of token sequences refuse (chapter 04 on): wrong ids and wrong padding masks."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def require_tokens(name: str, tokens: Tensor, shape: str) -> None:
    """Refuse what is not int64 token ids with two axes, named in `shape`."""
    if not isinstance(tokens, Tensor):
        raise TypeError(f"{name} must be a tensor of token ids, got {type(tokens).__name__}")
    if tokens.dtype != torch.int64:
        raise TypeError(f"{name} must hold token ids of torch.int64, got {tokens.dtype}")
    if tokens.dim() != 2:
        raise ValueError(f"{name} must be {shape}, got shape {tuple(tokens.shape)}")


def as_column(tokens: Tensor) -> Tensor:
    """Give one token a sentence, (batch,), as sentences of one token, (batch, 1)."""
    if isinstance(tokens, Tensor):
        if tokens.dim() != 1:
            raise ValueError(f"tokens must be (batch,), got shape {tuple(tokens.shape)}")
        tokens = tokens[:, None]
    require_tokens("tokens", tokens, "(batch,)")
    return tokens


def require_known(name: str, tokens: Tensor, embedding: nn.Embedding) -> None:
    """Refuse ids that an embedding does not have."""
    # On a GPU the embedding itself stops at an unknown id; asking first would make it wait.
    if torch.compiler.is_compiling() or tokens.device.type != "cpu" or not tokens.numel():
        return
    least, most = (bound.item() for bound in torch.aminmax(tokens))
    if least < 0 or most >= embedding.num_embeddings:
        raise ValueError(
            f"{name} must hold ids from 0 to {embedding.num_embeddings - 1}, "
            f"got {least if least < 0 else most}"
        )


def require_padding_mask(name: str, mask: Tensor, tokens: Tensor) -> None:
    """Refuse a mask that is not boolean, (batch, length) like its tokens."""
    if not isinstance(mask, Tensor):
        raise TypeError(f"{name} must be a boolean tensor, got {type(mask).__name__}")
    if mask.dtype != torch.bool:
        raise TypeError(f"{name} must be boolean, True at real tokens, got {mask.dtype}")
    if mask.shape != tokens.shape:
        raise ValueError(
            f"{name} {tuple(mask.shape)} and its tokens {tuple(tokens.shape)} disagree in shape"
        )
    if mask.device != tokens.device:
        raise ValueError(
            f"{name} and its tokens disagree in device: {mask.device} and {tokens.device}"
        )


def require_no_hole(**masks: Tensor | None) -> None:
    """Refuse padding masks, given by their names, with a real token behind padding.

    It is how a mask of the opposite meaning shows, True at padding.
    """
    masks = {name: mask for name, mask in masks.items() if mask is not None}
    if torch.compiler.is_compiling() or not masks:
        return
    holes = [(mask[:, 1:] & ~mask[:, :-1]).any() for mask in masks.values()]
    for name, hole in zip(masks, torch.stack(holes).tolist(), strict=True):  # one transfer
        if hole:
            raise ValueError(
                f"{name} must be True at the start of each row, at the real tokens, and False at "
                "the padding behind them, but a row has True after False"
            )
