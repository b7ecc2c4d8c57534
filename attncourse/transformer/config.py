"""The sizes of a Transformer (chapter 10), as a value that can be kept and compared."""

from __future__ import annotations

from dataclasses import KW_ONLY, asdict, dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class TransformerConfig:
    """What a `Transformer` is made of (chapter 10).

    The values are checked where they are used, when the model is built.

    Attributes:
        vocab_size: number of token ids, of the source at least.
        target_vocab_size: number of the target's, by default the same ids for both.
        embed_dim: width of a token, d_model in the paper.
        num_heads: heads of every attention.
        ffn_dim: width inside the feed-forward networks, d_ff.
        num_layers: layers of the encoder, N.
        num_decoder_layers: layers of the decoder, by default as many.
        dropout: share of each sublayer's result, and of the embeddings, that is dropped.
        norm_first: see `Residual`.
        norm_eps: see `Residual`.
        activation: see `FeedForward`.
        bias: whether projections and networks have biases.
        num_kv_heads: see `MultiHeadAttention`.
        positions: "sinusoidal", "learned", "rotary" or "none".
        tie_embeddings: whether the matrix that reads words also writes them: one for source,
            target and logits, or with two vocabularies one for target and logits.
        max_len: tokens that a sentence may have.
        checkpointing: see `Encoder`.

    Source: Vaswani et al. 2017, table 3: `preset("base", ...)` and `preset("big", ...)`.

    Example:
        >>> config = TransformerConfig.preset("base", vocab_size=37_000, dropout=0.0)
        >>> config.embed_dim, config.num_heads, config.dropout
        (512, 8, 0.0)
    """

    vocab_size: int
    _: KW_ONLY
    target_vocab_size: int | None = None
    embed_dim: int = 512
    num_heads: int = 8
    ffn_dim: int = 2048
    num_layers: int = 6
    num_decoder_layers: int | None = None
    dropout: float = 0.1
    norm_first: bool = False
    norm_eps: float = 1e-5
    activation: str = "relu"
    bias: bool = True
    num_kv_heads: int | None = None
    positions: str = "sinusoidal"
    tie_embeddings: bool = True
    max_len: int = 512
    checkpointing: bool = False

    @classmethod
    def preset(cls, name: str, vocab_size: int, **changes: Any) -> TransformerConfig:
        """Give one of the course's sizes, with changes.

        Args:
            name: "tiny" (2.6 million parameters with 10,000 ids), "small", or the paper's "base"
                and "big".
            vocab_size: number of token ids.
            changes: any other attribute.

        Raises:
            TypeError: if there is no such attribute.
            ValueError: if there is no such preset.
        """
        if not isinstance(name, str) or name not in PRESETS:
            raise ValueError(f"name must be one of {', '.join(PRESETS)}, got {name!r}")
        return replace(cls(vocab_size, **PRESETS[name]), **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON can hold them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> TransformerConfig:
        """Read what `to_dict` gave; an attribute that came later has its default.

        Raises:
            ValueError: if `vocab_size` is missing, or there is something else.
        """
        known = {each.name for each in fields(cls)}
        if not isinstance(given, dict) or not {"vocab_size"} <= set(given) <= known:
            held = ", ".join(map(str, given)) if isinstance(given, dict) else type(given).__name__
            only = ", ".join(sorted(known))
            raise ValueError(f"a config must hold vocab_size, and only {only}; got {held}")
        return cls(**given)


PRESETS: dict[str, dict[str, Any]] = {
    # Wu et al. 2021, for Multi30k
    "tiny": {"embed_dim": 128, "num_heads": 4, "ffn_dim": 256, "num_layers": 4, "dropout": 0.3},
    "small": {"embed_dim": 256, "num_heads": 8, "ffn_dim": 512, "num_layers": 3, "dropout": 0.1},
    # Vaswani et al. 2017, table 3
    "base": {"embed_dim": 512, "num_heads": 8, "ffn_dim": 2048, "num_layers": 6, "dropout": 0.1},
    "big": {"embed_dim": 1024, "num_heads": 16, "ffn_dim": 4096, "num_layers": 6, "dropout": 0.3},
}
