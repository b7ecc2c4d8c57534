"""From scores to a sentence: greedy search, sampling and beam search (chapters 04 and 12).

| module | what it holds |
|---|---|
| `search` | what every search has in common: a model's steps, the rows of its state, its result |
| `writing` | one sentence word by word: greedy search and sampling |
| `beam` | several beginnings at once: beam search |
| `barring` | a model that some tokens never occur to |
| `texts` | from a text to its continuation (chapter 18) |

Any model will do that has `start(source, source_mask)`, giving a state, and `step(tokens, state)`,
giving the logits (batch, vocabulary) of the next token and the state after it. A state is a tensor
or any nesting of tuples, lists and dictionaries of tensors, each with the batch as its first axis;
an object in it that holds tensors has a method `select` of its own.

A prompt is read token by token with `step`. A model that has `read(tokens, state)` as well, which
takes (batch, length) tokens and gives the same as `step`, reads what all prompts have in one pass.
"""

from attncourse.decoding.barring import Barring
from attncourse.decoding.beam import beam_search
from attncourse.decoding.search import Decoded, select
from attncourse.decoding.texts import TextWriter
from attncourse.decoding.writing import greedy, sample

__all__ = ["Barring", "Decoded", "TextWriter", "beam_search", "greedy", "sample", "select"]
