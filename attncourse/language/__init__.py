"""Models that read and write texts other than translations (chapters 13 and 14)."""

from attncourse.language.labelling import allowed_pairs, legal_tags
from attncourse.language.tagger import (
    MeanContext,
    NeighbourReader,
    PieceEmbedding,
    Tagger,
    start_alike,
)

__all__ = [
    "MeanContext",
    "NeighbourReader",
    "PieceEmbedding",
    "Tagger",
    "allowed_pairs",
    "legal_tags",
    "start_alike",
]
