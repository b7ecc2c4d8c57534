"""A course on attention, from cues to the Transformer: the code behind its chapters.

| chapter | module |
|---|---|
| 01 Attention cues | `attention` |
| 02 Attention pooling | `kernels`, `masks` |
| 03 Attention scores | `scores`, `masks`, `attention` |
| 04 Encoder and decoder | `data`, `recurrent`, `cells`, `training`, `decoding`, `translator` |
| 05 Bahdanau attention | `recurrent`, `metrics`, `recipes` |
| 06 Self-attention, 07 Multi-head attention | `attention` |
| 08 Positions | `positions` |
| 09 The encoder block, 10 The Transformer | `transformer` |
| every chapter | `runtime`, `figures`, `exercises` |
"""

from importlib.metadata import PackageNotFoundError, version

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

__all__ = [
    "AdditiveScore",
    "AttentionLayer",
    "BilinearScore",
    "DotProductScore",
    "KeyValueCache",
    "MultiHeadAttention",
    "NadarayaWatson",
    "ScaledDotProductScore",
    "attend",
    "attention_weights",
    "causal_mask",
    "device",
    "masked_softmax",
    "padding_mask",
    "record_attention",
    "seed_everything",
]

try:
    __version__ = version("attncourse")
except PackageNotFoundError:  # a checkout on the path, not installed
    __version__ = "0+unknown"
