"""Encoder and decoder made of GRUs, without attention (chapter 04) and with it (chapter 05).

| module | what it holds |
|---|---|
| `cells` | one step of a GRU, and GRUs standing on each other |
| `encoder` | the encoder: it reads the source |
| `parts` | what both decoders are made of: first state, cells, readout |
| `decoder` | the decoder that has one vector of the source |
| `attention_decoder` | the decoder that looks back at the source before every word |
| `model` | encoder and decoder together |

Every sequence-to-sequence model of the course is called in the same way: `model(source, target,
source_mask, target_mask)` in training, where the target is known, `model.start` and `model.step`
where it is found word by word. A decoder's state holds the batch first in every tensor.
"""

from attncourse.recurrent.attention_decoder import AttentionDecoder, AttentionState
from attncourse.recurrent.cells import gru_step
from attncourse.recurrent.decoder import GRUDecoder, GRUState
from attncourse.recurrent.encoder import Encoded, GRUEncoder
from attncourse.recurrent.model import EncoderDecoder

__all__ = [
    "AttentionDecoder",
    "AttentionState",
    "Encoded",
    "EncoderDecoder",
    "GRUDecoder",
    "GRUEncoder",
    "GRUState",
    "gru_step",
]
