"""Attention (from chapter 03 on): the function, the layers that call it, and their weights.

| module | what it holds |
|---|---|
| `functional` | `attend`, and the weights that it averages with |
| `recording` | the base of the layers that attend, and `record_attention` |
"""

from attncourse.attention.functional import attend, attention_weights
from attncourse.attention.recording import AttentionLayer, AttentionMaps, record_attention

__all__ = [
    "AttentionLayer",
    "AttentionMaps",
    "attend",
    "attention_weights",
    "record_attention",
]
