"""Networks that look at pictures (Part IV)."""

from attncourse.vision.boxes import generalised_iou, iou, to_corners
from attncourse.vision.detections import Detections, SetPrediction, detections, suppress
from attncourse.vision.detector import GridDetector, QueryLayer, SetDetector
from attncourse.vision.gan import Discriminator, GatedMLP, GatedSelfAttention, Generator
from attncourse.vision.image_gpt import ImageGPT, picture_window_mask, picture_words, words_picture
from attncourse.vision.matching import grid_loss, match, set_loss
from attncourse.vision.patches import PatchEmbedding, patchify
from attncourse.vision.pooling import AttentionPool, FiLMPool, GlobalPool
from attncourse.vision.reader import ConvStem, PictureReader
from attncourse.vision.transformer import VisionTransformer

__all__ = [
    "AttentionPool",
    "ConvStem",
    "Detections",
    "Discriminator",
    "FiLMPool",
    "GatedMLP",
    "GatedSelfAttention",
    "Generator",
    "GlobalPool",
    "GridDetector",
    "ImageGPT",
    "PatchEmbedding",
    "PictureReader",
    "QueryLayer",
    "SetDetector",
    "SetPrediction",
    "VisionTransformer",
    "detections",
    "generalised_iou",
    "grid_loss",
    "iou",
    "match",
    "patchify",
    "picture_window_mask",
    "picture_words",
    "set_loss",
    "suppress",
    "to_corners",
    "words_picture",
]
