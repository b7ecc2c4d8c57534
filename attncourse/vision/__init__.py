"""Networks that look at pictures (Part IV)."""

from attncourse.vision.patches import PatchEmbedding, patchify
from attncourse.vision.pooling import AttentionPool, FiLMPool, GlobalPool
from attncourse.vision.reader import ConvStem, PictureReader
from attncourse.vision.transformer import VisionTransformer

__all__ = [
    "AttentionPool",
    "ConvStem",
    "FiLMPool",
    "GlobalPool",
    "PatchEmbedding",
    "PictureReader",
    "VisionTransformer",
    "patchify",
]
