"""A summariser that writes a word or copies one from the article (chapter 13).

memory = encoder(embed(article))
log_probabilities = head(decoder(embed(summary), memory), memory, article)
"""

from __future__ import annotations

import math
from typing import NamedTuple

from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from attncourse.checks import (
    as_column,
    require_dropout,
    require_ids,
    require_integer,
    require_no_hole,
    require_padding_mask,
    require_target,
    require_tokens,
)
from attncourse.data.vocabulary import UNK
from attncourse.language.copying import CopyHead
from attncourse.transformer import Decoder, Encoder
from attncourse.transformer.layers import DecoderCache


class SummariserState(NamedTuple):
    """Where a `Summariser` stands while it writes (chapter 13).

    Attributes:
        source: (batch, source), the article's ids.
        source_mask: (batch, source), True at its real words, or None.
        memory: (batch, source, embed_dim), the article as the encoder gives it.
        caches: each decoder layer's.
    """

    source: Int64[Tensor, "batch source"]
    source_mask: Bool[Tensor, "batch source"] | None
    memory: Float[Tensor, "batch source embed_dim"]
    caches: list[DecoderCache]


class Summariser(nn.Module):
    """Read an article, write its summary, with words of its own or the article's (chapter 13).

    It is called as every translator of the course, and what it gives are log-probabilities, which
    are logits too: the usual loss and searches serve it. Ids from `vocab_size` on are an article's
    own unknown words, see `attncourse.data.extended`. Read, they are all `<unk>`; only in the copy
    are they told apart.

    Args:
        vocab_size: how many words can be read and written.
        max_unknown: how many unknown words an article may have.
        embed_dim, num_heads, ffn_dim, dropout: see `Encoder`; all norms are first, and both stacks
            rotary.
        num_layers, num_decoder_layers: how many there are of each.
        copies: whether words can be copied.

    Raises:
        TypeError: if a size is no integer; on a call, if tokens or masks have another dtype.
        ValueError: if the sizes do not fit; on a call, if shapes disagree, an id is unknown, an
            article or a target has no token, or padding stands before a real token.

    Source: See et al. 2017 put the copy on a recurrent model; here it is on a small Transformer.

    Example:
        >>> import torch
        >>> model = Summariser(11, max_unknown=2, embed_dim=8, num_heads=2, ffn_dim=16)
        >>> article, begun = torch.tensor([[4, 11, 5, 12, 11]]), torch.tensor([[1, 11]])
        >>> model(article, begun).shape
        torch.Size([1, 2, 13])
    """

    def __init__(
        self,
        vocab_size: int,
        *,
        max_unknown: int = 8,
        embed_dim: int = 64,
        num_heads: int = 4,
        ffn_dim: int = 256,
        num_layers: int = 2,
        num_decoder_layers: int = 1,
        dropout: float = 0.0,
        copies: bool = True,
    ):
        super().__init__()
        require_integer("vocab_size", vocab_size, least=UNK + 1)
        require_integer("embed_dim", embed_dim, least=1)
        require_integer("num_decoder_layers", num_decoder_layers, least=1)
        require_dropout(dropout)
        sizes = {"embed_dim": embed_dim, "num_heads": num_heads, "ffn_dim": ffn_dim}
        options = {"dropout": dropout, "norm_first": True, "rotary": True}
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        nn.init.normal_(self.embedding.weight, std=embed_dim**-0.5)
        self.dropout = nn.Dropout(dropout)
        self.encoder = Encoder(num_layers=num_layers, **sizes, **options)
        self.decoder = Decoder(num_layers=num_decoder_layers, **sizes, **options)
        self.head = CopyHead(
            embed_dim, vocab_size=vocab_size, max_unknown=max_unknown, copies=copies
        )

    def forward(
        self,
        source: Int64[Tensor, "batch source"],
        target: Int64[Tensor, "batch target"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
        target_mask: Bool[Tensor, "batch target"] | None = None,
    ) -> Float[Tensor, "batch target words"]:
        """Predict, at each word of the summary, the next one.

        Args:
            source: (batch, source), the article's ids.
            target: (batch, target), ids that the decoder reads: the begin mark first.
            source_mask, target_mask: True at real tokens, which stand first in each row; by default
                all are real.

        Returns:
            (batch, target, words), log-probabilities. Those at padding mean nothing.
        """
        self._require_sentences(source, target, source_mask, target_mask)
        memory = self._read(source, source_mask)  # (batch, source, embed_dim)
        hidden = self.decoder(
            self._embed(target, target_mask), memory, memory_padding_mask=source_mask
        )  # (batch, target, embed_dim)
        return self.head(hidden, memory, source, source_mask)  # (batch, target, words)

    def start(
        self,
        source: Int64[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"] | None = None,
    ) -> SummariserState:
        """Read the article; give the state before the first word."""
        self._require_source(source, source_mask)
        require_no_hole(source_mask=source_mask)
        memory = self._read(source, source_mask)
        return SummariserState(source, source_mask, memory, self.decoder.start(memory))

    def step(
        self, tokens: Int64[Tensor, "batch"], state: SummariserState
    ) -> tuple[Float[Tensor, "batch words"], SummariserState]:
        """Read one word a summary; give the log-probabilities of the next, and the state after it.

        The state that was given stays as it was, so that one can go on from it in several ways.
        """
        tokens = as_column(tokens)  # (batch, 1)
        self._require_tokens("tokens", tokens, None)
        if len(tokens) != len(state.memory):
            raise ValueError(
                f"tokens and state disagree in batch: {len(tokens)} and {len(state.memory)}"
            )
        caches = [DecoderCache(cache.written.copy(), cache.memory) for cache in state.caches]
        hidden = self.decoder(
            self._embed(tokens), memory_padding_mask=state.source_mask, caches=caches
        )  # (batch, 1, embed_dim)
        words = self.head(hidden, state.memory, state.source, state.source_mask)
        return words[:, 0], state._replace(caches=caches)

    def _read(self, source: Tensor, source_mask: Tensor | None) -> Tensor:
        return self.encoder(self._embed(source, source_mask), padding_mask=source_mask)

    def _embed(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Give vectors of size about one, (batch, length, embed_dim); unknown words are alike."""
        if mask is not None:
            tokens = tokens.masked_fill(~mask, 0)  # whatever stands at padding, a known token
        known = tokens.masked_fill(tokens >= self.embedding.num_embeddings, UNK)
        return self.dropout(self.embedding(known) * math.sqrt(self.embedding.embedding_dim))

    def _require_sentences(
        self,
        source: Tensor,
        target: Tensor,
        source_mask: Tensor | None,
        target_mask: Tensor | None,
    ) -> None:
        self._require_source(source, source_mask)
        self._require_tokens("target", target, target_mask)
        require_target(target, source)
        require_no_hole(source_mask=source_mask, target_mask=target_mask)

    def _require_source(self, source: Tensor, source_mask: Tensor | None) -> None:
        self._require_tokens("source", source, source_mask)
        if source.shape[1] == 0:
            raise ValueError("source must hold at least one word of each article, got none")

    def _require_tokens(self, name: str, tokens: Tensor, mask: Tensor | None) -> None:
        require_tokens(name, tokens, f"(batch, {name})")
        if mask is not None:
            require_padding_mask(f"{name}_mask", mask, tokens)
        own = self.head.num_words - self.head.vocab_size
        note = f", the last {own} of an article's unknown words"
        require_ids(name, tokens, self.head.num_words, mask, note)
