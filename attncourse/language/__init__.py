"""Models that read and write texts other than translations (chapters 13, 14 and 18).

| module | what it holds |
|---|---|
| `copying` | a head that writes a word or copies one (chapter 13) |
| `summariser` | the summariser with that head (chapter 13) |
| `tagger` | a tagger, of parts that read a word among others (chapter 14) |
| `labelling` | tags that fit together (chapter 14) |
| `config` | the sizes of a language model, BERT's and GPT-2's (chapter 18) |
| `reader` | embeddings and encoder, which both have (chapter 18) |
| `masked` | the masked language model (chapter 18) |
| `causal` | the causal language model (chapter 18) |
| `attention_only` | one of attention alone (chapter 18) |
| `kneser_ney` | an n-gram model (chapter 18) |
| `hugging_face` | weights from Hugging Face's models, and to them (chapter 18) |
| `names` | what they call their weights (chapter 18) |
"""

from attncourse.language.attention_only import AttentionOnlyModel
from attncourse.language.causal import CausalLanguageModel
from attncourse.language.config import LANGUAGE_PRESETS, LanguageModelConfig
from attncourse.language.copying import CopyHead
from attncourse.language.hugging_face import from_hugging_face, to_hugging_face
from attncourse.language.kneser_ney import KneserNey
from attncourse.language.labelling import allowed_pairs, legal_tags
from attncourse.language.masked import MaskedLanguageModel
from attncourse.language.reader import TextReader
from attncourse.language.summariser import Summariser, SummariserState
from attncourse.language.tagger import (
    MeanContext,
    NeighbourReader,
    PieceEmbedding,
    Tagger,
    start_alike,
)

__all__ = [
    "LANGUAGE_PRESETS",
    "AttentionOnlyModel",
    "CausalLanguageModel",
    "CopyHead",
    "KneserNey",
    "LanguageModelConfig",
    "MaskedLanguageModel",
    "MeanContext",
    "NeighbourReader",
    "PieceEmbedding",
    "Summariser",
    "SummariserState",
    "Tagger",
    "TextReader",
    "allowed_pairs",
    "from_hugging_face",
    "legal_tags",
    "start_alike",
    "to_hugging_face",
]
