"""The decoder with attention (chapter 05): it looks back at the source before every word.

One step, from the state s before a token with the embedding y, over the encoder's memory h (the
biases left out):

    scores = tanh(W s + U h) @ v                       (source,)
    weights = softmax(scores)                          (source,)
    c = weights @ h                                    (memory,), the context
    x = [y; c]                                         (embed + memory,)
    r = sigmoid(W_r x + U_r s)                         (hidden,), the reset gate
    z = sigmoid(W_z x + U_z s)                         (hidden,), the update gate
    s = (1 - z) * tanh(W_n x + r * (U_n s)) + z * s    (hidden,), the new state
    logits = W_o tanh(W_h [s; y; c])                   (vocabulary,)

`AttentionDecoder._step` is these lines up to the new state, for a batch and for GRUs on each other.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from attncourse.attention import AttentionLayer
from attncourse.checks import require_integer
from attncourse.recurrent.encoder import Encoded
from attncourse.recurrent.parts import DecoderParts
from attncourse.scores import AdditiveScore


class AttentionState(NamedTuple):
    """Where an `AttentionDecoder` stands: its layers, and what it looks at with the keys of it."""

    hidden: Float[Tensor, "batch layers hidden"]
    memory: Float[Tensor, "batch source memory"]
    keys: Float[Tensor, "batch source attention"]
    mask: Bool[Tensor, "batch source"] | None


class AttentionDecoder(DecoderParts, AttentionLayer):
    r"""Write the target, looking back at the source before every word (chapter 05).

    The state so far is the query and the encoder's memory the keys and values of additive
    attention; the average found, the context, is joined to the embedding of the token read. Padding
    of the source gets no weight. `record_attention` sees one map, (batch, 1, target, source).

    $$e_{tj} = v^\top \tanh(W s_{t-1} + U h_j), \quad \alpha_t = \operatorname{softmax}(e_t), \quad
      c_t = \sum_j \alpha_{tj} h_j, \quad s_t = \operatorname{GRU}([y_{t-1}; c_t], s_{t-1})$$

    Args:
        vocab_size, embed_dim, hidden_dim, memory_dim, num_layers, dropout, readout: as for
            `GRUDecoder`.
        attention_dim: hidden width of the additive score, by default `hidden_dim`.

    Raises:
        TypeError, ValueError: as `GRUDecoder`.

    Source: Bahdanau et al. 2015, section 3.1 and appendices A.1.2 and A.2.2. There the first state
    comes from the backward encoder alone, and here from both, and is taken over where the widths
    agree; the deep readout has a tanh for the maxout, and reads the new state as in equation 4,
    where A.2.2 writes the previous one; with several layers the top one is the query. With
    `readout="state"` it is the decoder of Zhang et al. 2023, section 11.4.

    Example:
        >>> from attncourse.recurrent import GRUEncoder
        >>> encoder = GRUEncoder(97, embed_dim=5, hidden_dim=7, bidirectional=True)
        >>> decoder = AttentionDecoder(89, embed_dim=5, hidden_dim=11, memory_dim=14)
        >>> state = decoder.start(encoder(torch.tensor([[4, 5, 6]])))
        >>> from attncourse import record_attention
        >>> with record_attention(decoder) as maps:
        ...     logits, state = decoder(torch.tensor([[1, 8, 9, 7]]), state)
        >>> logits.shape, maps[""].shape
        (torch.Size([1, 4, 89]), torch.Size([1, 1, 4, 3]))
    """

    def __init__(
        self,
        vocab_size: int,
        *,
        hidden_dim: int,
        memory_dim: int,
        attention_dim: int | None = None,
        **options,
    ):
        super().__init__(vocab_size, hidden_dim=hidden_dim, memory_dim=memory_dim, **options)
        attention_dim = hidden_dim if attention_dim is None else attention_dim
        require_integer("attention_dim", attention_dim, least=1)
        self.score = AdditiveScore(
            query_dim=hidden_dim, key_dim=memory_dim, hidden_dim=attention_dim
        )

    def start(self, encoded: Encoded) -> AttentionState:
        """Give the state before the first token; the keys are projected here, once."""
        memory, mask, state = encoded
        return AttentionState(self.first(state), memory, self.score.project(memory), mask)

    def forward(
        self, target: Int64[Tensor, "batch target"], state: AttentionState
    ) -> tuple[Float[Tensor, "batch target vocabulary"], AttentionState]:
        """Read some tokens and predict what follows each.

        Args:
            target: (batch, target), token ids.
            state: from `start`, or from an earlier call whose tokens came before these.

        Returns:
            The logits, (batch, target, vocabulary), and the state after the last token.
        """
        embedded = self.embed(target, state.hidden)  # (batch, target, embed)
        # W [y; c] is W_y y + W_c c: the first for all tokens at once, the second step by step.
        from_tokens = self.cells.of_token(embedded)  # (batch, target, 3 * hidden)
        mask = None if state.mask is None else state.mask[:, None]  # (batch, 1, source)
        hidden, outputs, contexts = list(state.hidden.unbind(1)), [], []
        for from_token in from_tokens.unbind(1):  # (batch, 3 * hidden)
            hidden, context = self._step(from_token, hidden, state.keys, state.memory, mask)
            outputs.append(hidden[-1])
            contexts.append(context)
        logits = self.readout(  # (batch, target, vocabulary)
            hidden=torch.stack(outputs, 1), embedded=embedded, context=torch.stack(contexts, 1)
        )
        return logits, state._replace(hidden=torch.stack(hidden, 1))

    def _step(
        self,
        from_token: Float[Tensor, "batch gates"],
        hidden: list[Float[Tensor, "batch hidden"]],
        keys: Float[Tensor, "batch source attention"],
        memory: Float[Tensor, "batch source memory"],
        mask: Bool[Tensor, "batch 1 source"] | None,
    ) -> tuple[list[Float[Tensor, "batch hidden"]], Float[Tensor, "batch memory"]]:
        """Look back at the source, then read the token and what was found."""
        query = hidden[-1][:, None]  # s, the top layer's: (batch, 1, hidden)
        context = self.attend(  # c: additive scores, masked softmax, mean, (batch, 1, memory)
            query, keys, memory, mask, score=self.score.of_projected
        )[:, 0]
        read = from_token + self.cells.of_context(context)  # W_r x, W_z x, W_n x side by side
        return self.cells(read, hidden), context  # the GRUs' new states, and c
