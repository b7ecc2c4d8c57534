"""The Transformer, from its layers up (chapters 09 and 10).

| module | what it holds |
|---|---|
| `sublayers` | feed-forward network, residual connection |
| `layers` | encoder layer and decoder layer |
| `stacks` | layers on each other |
| `config` | the sizes of a model, and the course's presets |
| `model` | the whole: from tokens to logits |
"""

from attncourse.transformer.config import PRESETS, TransformerConfig
from attncourse.transformer.layers import DecoderCache, DecoderLayer, EncoderLayer
from attncourse.transformer.model import Transformer, TransformerState
from attncourse.transformer.stacks import Decoder, Encoder
from attncourse.transformer.sublayers import FeedForward, Residual

__all__ = [
    "PRESETS",
    "Decoder",
    "DecoderCache",
    "DecoderLayer",
    "Encoder",
    "EncoderLayer",
    "FeedForward",
    "Residual",
    "Transformer",
    "TransformerConfig",
    "TransformerState",
]
