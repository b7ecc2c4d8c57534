"""Models that read and write texts other than translations (chapters 13 and 14).

| module | what it holds |
|---|---|
| `copying` | a head that writes a word or copies one (chapter 13) |
| `summariser` | the summariser with that head (chapter 13) |
| `tagger` | a tagger, of parts that read a word among others (chapter 14) |
| `labelling` | tags that fit together (chapter 14) |
"""

from attncourse.language.copying import CopyHead
from attncourse.language.labelling import allowed_pairs, legal_tags
from attncourse.language.summariser import Summariser, SummariserState
from attncourse.language.tagger import (
    MeanContext,
    NeighbourReader,
    PieceEmbedding,
    Tagger,
    start_alike,
)

__all__ = [
    "CopyHead",
    "MeanContext",
    "NeighbourReader",
    "PieceEmbedding",
    "Summariser",
    "SummariserState",
    "Tagger",
    "allowed_pairs",
    "legal_tags",
    "start_alike",
]
