"""From token ids to vectors that know their text (chapter 18): what BERT and GPT share.

x = dropout(norm(words[tokens] + positions + segments))   # (batch, length, embed_dim)
hidden = encoder(x)                                       # BERT: every token sees the whole text
hidden = encoder(x, causal=True)                          # GPT: none sees a later one
"""

from __future__ import annotations

from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from attncourse.attention import KeyValueCache
from attncourse.attention.multi_head import glorot_linear
from attncourse.checks import (
    require_bool,
    require_dropout,
    require_ids,
    require_integer,
    require_known,
    require_no_hole,
    require_padding_mask,
    require_tokens,
)
from attncourse.language.config import LanguageModelConfig
from attncourse.positions import LearnedPositions
from attncourse.transformer import Encoder

POSITIONS = ("learned", "rotary", "none")


class TextReader(nn.Module):
    """Embeddings and an encoder: a vector for each token of a text (chapter 18).

    Args:
        config: its sizes.

    Raises:
        TypeError: if a size is not an integer; on a call, if tokens or masks have another dtype.
        ValueError: if the sizes do not fit; on a call, if shapes disagree, an id is unknown,
            segments come and the model has no table for them, a text has no token or more than
            `config.max_len`, padding stands before a real token, or comes with caches.

    Source: Devlin et al. 2019, section 3 and figure 2, and Radford et al. 2018, section 3.1. Of
    both, embeddings begin with a deviation of 0.02; linear layers are Glorot's here. Dropout is
    neither on the attention weights nor inside the feed-forward network, where theirs is too.

    Example:
        >>> import torch
        >>> sizes = {"embed_dim": 12, "num_heads": 3, "ffn_dim": 17, "num_layers": 2}
        >>> reader = TextReader(LanguageModelConfig.preset("bert", 97, pooler=True, **sizes))
        >>> hidden = reader(torch.tensor([[4, 5, 6, 7]]), segments=torch.tensor([[0, 0, 1, 1]]))
        >>> hidden.shape, reader.pool(hidden).shape
        (torch.Size([1, 4, 12]), torch.Size([1, 12]))
    """

    def __init__(self, config: LanguageModelConfig):
        super().__init__()
        _require_config(config)
        width = config.embed_dim
        self.config = config
        self.words = _embedding(config.vocab_size, width)
        self.positions = (
            LearnedPositions(max_len=config.max_len, embed_dim=width)
            if config.positions == "learned"
            else None
        )
        self.segments = _embedding(config.num_segments, width) if config.num_segments else None
        self.norm = (
            nn.LayerNorm(width, eps=config.norm_eps) if config.norm_embeddings else nn.Identity()
        )
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = Encoder(
            num_layers=config.num_layers,
            embed_dim=width,
            num_heads=config.num_heads,
            ffn_dim=config.ffn_dim,
            dropout=config.dropout,
            norm_first=config.norm_first,
            norm_eps=config.norm_eps,
            activation=config.activation,
            bias=config.bias,
            num_kv_heads=config.num_kv_heads,
            rotary=config.positions == "rotary",
            checkpointing=config.checkpointing,
        )
        self.pooler = glorot_linear(width, width, bias=True) if config.pooler else None

    def forward(
        self,
        tokens: Int64[Tensor, "batch length"],
        *,
        segments: Int64[Tensor, "batch length"] | None = None,
        padding_mask: Bool[Tensor, "batch length"] | None = None,
        causal: bool = False,
        caches: list[KeyValueCache] | None = None,
    ) -> Float[Tensor, "batch length embed_dim"]:
        """Read texts.

        Args:
            tokens: (batch, length), token ids.
            segments: (batch, length), which part of its text each token is in; by default the
                first.
            padding_mask: (batch, length), True at real tokens, which stand first in each row; by
                default all are real. What stands at padding never matters to a real token.
            causal: hide each token's future.
            caches: one for each layer; then the tokens are those after earlier calls', and causal,
                and there is no padding: it would stay in the caches, before the tokens to come.

        Returns:
            (batch, length, embed_dim). What comes out at padding means nothing.
        """
        if caches is not None and padding_mask is not None:
            raise ValueError(
                "padding_mask must be None with caches, which keep what is padding too"
            )
        causal = causal or caches is not None
        offset = len(caches[0]) if caches else 0
        self._require_texts(tokens, segments, padding_mask, offset)
        x = self._embed(tokens, segments, padding_mask, offset)  # (batch, length, embed_dim)
        # With the future hidden no mask is needed: padding stands behind the real tokens.
        hidden_padding = None if causal else padding_mask
        return self.encoder(x, padding_mask=hidden_padding, causal=causal, caches=caches)

    def pool(
        self, hidden: Float[Tensor, "batch length embed_dim"]
    ) -> Float[Tensor, "batch embed_dim"]:
        """Give one vector a text, made of its first token's.

        Raises:
            ValueError: if the config asked for no pooler.
        """
        if self.pooler is None:
            raise ValueError("pooler must be True in the config of a model that pools, got False")
        return self.pooler(hidden[:, 0]).tanh()  # (batch, embed_dim)

    def _embed(
        self, tokens: Tensor, segments: Tensor | None, mask: Tensor | None, offset: int
    ) -> Tensor:
        """Give the sum of words, positions and segments, (batch, length, embed_dim)."""
        if mask is not None:  # whatever stands at padding, known ids
            tokens = tokens.masked_fill(~mask, 0)
            segments = None if segments is None else segments.masked_fill(~mask, 0)
        x = self.words(tokens)
        if self.positions is not None:
            x = self.positions(x, offset)
        if self.segments is not None:
            x = x + (self.segments.weight[0] if segments is None else self.segments(segments))
        return self.dropout(self.norm(x))

    def _require_texts(
        self, tokens: Tensor, segments: Tensor | None, mask: Tensor | None, offset: int
    ) -> None:
        require_tokens("tokens", tokens, "(batch, length)")
        length, room = tokens.shape[1], self.config.max_len
        if length == 0:
            raise ValueError("tokens must hold at least one token of each text, got none")
        if offset + length > room:
            raise ValueError(
                f"tokens make a text of {offset + length}, but max_len of the config is {room}"
            )
        if mask is not None:
            require_padding_mask("padding_mask", mask, tokens)
            require_no_hole(padding_mask=mask)
        require_known("tokens", tokens, self.words, mask)
        if segments is not None:
            self._require_segments(segments, tokens, mask)

    def _require_segments(self, segments: Tensor, tokens: Tensor, mask: Tensor | None) -> None:
        if self.segments is None:
            raise ValueError(
                "segments came, but the model has no table for them: num_segments of the config "
                "is 0"
            )
        require_tokens("segments", segments, "(batch, length)")
        if segments.shape != tokens.shape:
            raise ValueError(
                f"segments {tuple(segments.shape)} and tokens {tuple(tokens.shape)} disagree in "
                "shape"
            )
        require_ids("segments", segments, self.config.num_segments, mask)


def _require_config(config: LanguageModelConfig) -> None:
    """Refuse what the parts, which refuse their own sizes, are not asked."""
    if not isinstance(config, LanguageModelConfig):
        raise TypeError(f"config must be a LanguageModelConfig, got {type(config).__name__}")
    for name in ("vocab_size", "embed_dim", "max_len"):
        require_integer(name, getattr(config, name), least=1)
    require_integer("num_segments", config.num_segments, least=0)
    for name in ("norm_embeddings", "pooler", "checkpointing"):
        require_bool(name, getattr(config, name))
    require_dropout(config.dropout)
    if config.positions not in POSITIONS:
        raise ValueError(
            f"positions must be one of {', '.join(POSITIONS)}, got {config.positions!r}"
        )


def _embedding(count: int, width: int) -> nn.Embedding:
    embedding = nn.Embedding(count, width)
    nn.init.normal_(embedding.weight, std=0.02)
    return embedding
