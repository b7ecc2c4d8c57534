"""Attention (from chapter 03 on): the function, the layers that call it, and their weights.

| module | what it holds |
|---|---|
| `functional` | `attend`, and the weights that it averages with |
| `recording` | the base of the layers that attend, and `record_attention` |
| `multi_head` | the layer with heads (chapter 07) |
| `cache` | keys and values kept from call to call (chapters 10 and 12) |
| `buffer` | room for them to grow |
| `efficient` | attention for long inputs (chapter 19) |
"""

from attncourse.attention.cache import KeyValueCache
from attncourse.attention.efficient import (
    linear_attention,
    online_softmax_attention,
    positive_features,
    sliding_window,
)
from attncourse.attention.functional import attend, attention_weights
from attncourse.attention.multi_head import MultiHeadAttention
from attncourse.attention.recording import AttentionLayer, AttentionMaps, record_attention

__all__ = [
    "AttentionLayer",
    "AttentionMaps",
    "KeyValueCache",
    "MultiHeadAttention",
    "attend",
    "attention_weights",
    "linear_attention",
    "online_softmax_attention",
    "positive_features",
    "record_attention",
    "sliding_window",
]
