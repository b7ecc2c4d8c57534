"""A head that writes a word or copies one (chapter 13).

p(word) = (1 - gate) * written(word) + gate * (weights at the places where the article has it)
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from attncourse.attention import AttentionLayer
from attncourse.attention.multi_head import glorot_linear
from attncourse.checks import require_bool, require_integer
from attncourse.scores import widen


class CopyHead(AttentionLayer):
    r"""Mix what is written with what is copied (chapter 13, eq. 13.2).

    $$p(w) = (1 - g)\, p_{\text{written}}(w) + g \sum_{i:\, x_i = w} \alpha_i$$

    The copied word is had by attention whose values are the article's words themselves: weights
    (target, source) times words (source, vocabulary), each a row with a single one.

    Args:
        embed_dim: width of the decoder's and the encoder's vectors.
        vocab_size: how many words can be written.
        max_unknown: how many words beyond these can only be copied.
        copies: whether there is anything copied; without, g is 0 and nothing else is made.

    Raises:
        TypeError: if a size is no integer, or `copies` not True or False.
        ValueError: if a size is too small.

    Source: See et al. 2017, equations 8 and 9, with p_gen = 1 - g. There g also sees the context
    vector and the decoder's input; here the decoder's vector holds both. There the weights are the
    decoder's own additive ones; here they are a dot product with matrices of their own.

    Example:
        >>> head = CopyHead(6, vocab_size=11, max_unknown=2)
        >>> hidden, memory = torch.randn(1, 3, 6), torch.randn(1, 5, 6)
        >>> log_probabilities = head(hidden, memory, torch.tensor([[4, 11, 5, 12, 11]]))
        >>> log_probabilities.shape, log_probabilities.exp().sum(-1)
        (torch.Size([1, 3, 13]), tensor([[1.0000, 1.0000, 1.0000]], grad_fn=<SumBackward1>))
    """

    def __init__(
        self, embed_dim: int, *, vocab_size: int, max_unknown: int = 8, copies: bool = True
    ):
        super().__init__()
        require_integer("embed_dim", embed_dim, least=1)
        require_integer("vocab_size", vocab_size, least=1)
        require_integer("max_unknown", max_unknown, least=0)
        require_bool("copies", copies)
        self.vocab_size = vocab_size
        self.num_words = vocab_size + max_unknown
        self.copies = copies
        self.output = glorot_linear(embed_dim, vocab_size, bias=True)
        if copies:
            self.query_projection = glorot_linear(embed_dim, embed_dim, bias=True)
            self.key_projection = glorot_linear(embed_dim, embed_dim, bias=True)
            self.gate = glorot_linear(embed_dim, 1, bias=True)

    def forward(
        self,
        hidden: Float[Tensor, "batch target embed_dim"],
        memory: Float[Tensor, "batch source embed_dim"],
        source: Int64[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
    ) -> Float[Tensor, "batch target words"]:
        """Give the logarithm of each word's probability.

        Args:
            hidden: (batch, target, embed_dim), the decoder's vectors.
            memory: (batch, source, embed_dim), the encoder's.
            source: (batch, source), the article's ids, from `vocab_size` on those of its own
                unknown words.
            source_mask: (batch, source), True at real words.

        Returns:
            (batch, target, vocab_size + max_unknown), or without a copy (batch, target,
            vocab_size).
        """
        written = widen(self.output(hidden)).log_softmax(-1)  # (batch, target, vocab_size)
        if not self.copies:
            return written.to(hidden.dtype)
        copied = widen(self.copy(hidden, memory, source, source_mask))  # (batch, target, words)
        gate = widen(self.gate(hidden))  # (batch, target, 1), before its sigmoid
        # In logarithms, and never that of zero: its gradient would be infinite. The least float16
        # is no nothing: added up over a vocabulary, it is a share that one sees.
        copied = copied.clamp(min=torch.finfo(copied.dtype).tiny).log() + F.logsigmoid(gate)
        written = written + F.logsigmoid(-gate)
        known, unknown = copied.split([self.vocab_size, self.num_words - self.vocab_size], dim=-1)
        words = torch.cat([torch.logaddexp(written, known), unknown], dim=-1)
        return words.to(hidden.dtype)

    def copy(
        self,
        hidden: Float[Tensor, "batch target embed_dim"],
        memory: Float[Tensor, "batch source embed_dim"],
        source: Int64[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
    ) -> Float[Tensor, "batch target words"]:
        """Give the probability that each word is the one copied; the arguments are `forward`'s."""
        if source_mask is not None:
            source = source.masked_fill(~source_mask, 0)  # whatever stands at padding
        words = F.one_hot(source, self.num_words).to(hidden.dtype)  # (batch, source, words)
        query, key = self.query_projection(hidden), self.key_projection(memory)
        mask = None if source_mask is None else source_mask[:, None]  # (batch, 1, source)
        return self.attend(query, key, words, mask)
