"""Attention, from the Ground Up: the code behind the chapters of the course.

    >>> import torch
    >>> from attncourse import attend, padding_mask
    >>> query, key, value = torch.randn(2, 3, 8), torch.randn(2, 5, 8), torch.randn(2, 5, 4)
    >>> mask = padding_mask(torch.tensor([5, 2]))  # the second row has two real keys
    >>> attend(query, key, value, mask[:, None, :]).shape
    torch.Size([2, 3, 4])

The names that most programs need stand here; all others in modules, such as
`attncourse.figures.heatmap`, found without an import of their own.

| chapter | module |
|---|---|
| 01 Attention cues | `attention` |
| 02 Attention pooling | `kernels`, `masks` |
| 03 Attention scores | `scores`, `masks`, `attention` |
| 04 Encoder and decoder | `data`, `recurrent`, `training`, `decoding`, `translator` |
| 05 Bahdanau attention | `recurrent`, `metrics`, `recipes` |
| 06 Self-attention, 07 Multi-head attention | `attention` |
| 08 Positions | `positions` |
| 09 The encoder block, 10 The Transformer | `transformer` |
| 11 Training | `training`, `data`, `recipes` |
| 12 Decoding | `decoding`, `translator`, `recipes` |
| 13 Summarisation | `language`, `data`, `metrics` |
| 14 Named entities | `language`, `data`, `metrics` |
| 15 Image classification | `vision`, `data` |
| 16 Object detection | `vision`, `data`, `metrics` |
| 17 Image generation | `vision`, `training`, `metrics`, `data` |
| 18 BERT and GPT | `language`, `data`, `metrics`, `decoding` |
| 19 Efficient attention | `attention`, `masks`, `runtime` |
| 20 Looking back | `recipes`, `figures` |
| every chapter | `runtime`, `figures`, `exercises`, `teaching` |
"""

from __future__ import annotations

import importlib.metadata
import pkgutil
import sys
from typing import TYPE_CHECKING

from attncourse.attention import (
    AttentionLayer,
    KeyValueCache,
    MultiHeadAttention,
    attend,
    attention_weights,
    record_attention,
)
from attncourse.kernels import NadarayaWatson
from attncourse.masks import causal_mask, masked_softmax, padding_mask
from attncourse.runtime import device, seed_everything
from attncourse.scores import (
    AdditiveScore,
    BilinearScore,
    DotProductScore,
    ScaledDotProductScore,
)

if TYPE_CHECKING:  # what `__getattr__` finds, for editors and type checkers
    from attncourse.recipes.shipped import shipped
    from attncourse.training import fit
    from attncourse.transformer import Transformer, TransformerConfig
    from attncourse.translator import Translator

    from . import (  # noqa: F401
        checks,
        cli,
        data,
        decoding,
        exercises,
        figures,
        language,
        metrics,
        positions,
        recipes,
        recurrent,
        teaching,
        training,
        transformer,
        translator,
        vision,
    )


__all__ = [
    "AdditiveScore",
    "AttentionLayer",
    "BilinearScore",
    "DotProductScore",
    "KeyValueCache",
    "MultiHeadAttention",
    "NadarayaWatson",
    "ScaledDotProductScore",
    "Transformer",
    "TransformerConfig",
    "Translator",
    "attend",
    "attention_weights",
    "causal_mask",
    "device",
    "fit",
    "masked_softmax",
    "padding_mask",
    "record_attention",
    "seed_everything",
    "shipped",
]

# What is imported only where it is asked for, so that importing the package takes no time.
_HOMES = {
    "Transformer": "transformer",
    "TransformerConfig": "transformer",
    "Translator": "translator",
    "fit": "training",
    "shipped": "recipes",
}

try:
    __version__ = importlib.metadata.version("attncourse")
except importlib.metadata.PackageNotFoundError:  # a checkout on the path, not installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(f"attncourse.{_HOMES[name]}"), name)
    if name in _modules():
        return importlib.import_module(f"attncourse.{name}")
    raise AttributeError(
        f"module 'attncourse' has no attribute {name!r}", name=name, obj=sys.modules[__name__]
    )


def __dir__() -> list[str]:
    return sorted({*__all__, *_modules(), "__version__"})


def _modules() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(__path__)} - {"__main__"}
