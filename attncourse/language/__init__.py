"""Models that read and write text (chapters 13 and 14).

| module | what it holds |
|---|---|
| `copying` | a head that writes a word or copies one (chapter 13) |
| `summariser` | the summariser with that head (chapter 13) |
"""

from attncourse.language.copying import CopyHead
from attncourse.language.summariser import Summariser, SummariserState

__all__ = [
    "CopyHead",
    "Summariser",
    "SummariserState",
]
