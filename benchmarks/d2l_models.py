"""The translation models of Dive into Deep Learning (Zhang et al. 2023), sections 10.7 and 11.4.

`d2l.torch` carries their encoder, attention and training loop, but not the decoders, which the
book defines in its text. They are written here after its equations, from PyTorch's own GRU and
d2l's additive attention: what a decoder reads is joined to the embedding, in the book's order,
and a linear layer reads the top state.
"""

from __future__ import annotations

import torch
from torch import nn


class D2lDecoder(nn.Module):
    """Section 10.7: the context is the encoder's top output at its last position."""

    def __init__(self, d2l, vocab_size, embed_dim, hidden_dim, num_layers):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.rnn = d2l.GRU(embed_dim + hidden_dim, hidden_dim, num_layers)
        self.dense = nn.Linear(hidden_dim, vocab_size)

    def init_state(self, encoded, *_):
        outputs, state = encoded  # (source, batch, hidden) and (layers, batch, hidden)
        return outputs[-1], state

    def forward(self, target, state):
        context, hidden = state
        embedded = self.embedding(target.t())  # (target, batch, embed)
        joined = torch.cat([embedded, context.expand(len(embedded), -1, -1)], -1)
        outputs, hidden = self.rnn(joined, hidden)
        return self.dense(outputs).transpose(0, 1), (context, hidden)


class D2lAttentionDecoder(nn.Module):
    """Section 11.4: additive attention, the previous top state being the query."""

    def __init__(self, d2l, vocab_size, embed_dim, hidden_dim, num_layers):
        super().__init__()
        self.attention = d2l.AdditiveAttention(hidden_dim, 0.0)
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.rnn = nn.GRU(hidden_dim + embed_dim, hidden_dim, num_layers)
        self.dense = nn.Linear(hidden_dim, vocab_size)

    def init_state(self, encoded, lengths, *_):
        outputs, state = encoded
        return outputs.transpose(0, 1), state, lengths

    def forward(self, target, state):
        memory, hidden, lengths = state
        outputs = []
        for embedded in self.embedding(target).unbind(1):
            context = self.attention(hidden[-1][:, None], memory, memory, lengths)
            joined = torch.cat([context, embedded[:, None]], -1)
            output, hidden = self.rnn(joined.transpose(0, 1), hidden)
            outputs.append(output)
        return self.dense(torch.cat(outputs)).transpose(0, 1), (memory, hidden, lengths)


def d2l_model(
    d2l, decoder, source_vocab, target_vocab, embed_dim, hidden_dim, num_layers
) -> nn.Module:
    """Join d2l's encoder and one of the decoders in its `Seq2Seq`; set the lazy layers' widths."""
    encoder = d2l.Seq2SeqEncoder(source_vocab, embed_dim, hidden_dim, num_layers)
    decoder = decoder(d2l, target_vocab, embed_dim, hidden_dim, num_layers)
    model = d2l.EncoderDecoder(encoder, decoder)
    one = torch.zeros(1, 1, dtype=torch.int64)
    model(one, one, torch.ones(1, dtype=torch.int64))
    return model
