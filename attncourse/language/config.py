"""The sizes of a language model (chapter 18), as a value that can be kept and compared."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class LanguageModelConfig:
    """What a masked or a causal language model is made of (chapter 18).

    The values are checked where they are used, when the model is built.

    Attributes:
        vocab_size: number of token ids.
        embed_dim: width of a token.
        num_heads: heads of every attention.
        ffn_dim: width inside the feed-forward networks.
        num_layers: layers of the encoder.
        dropout: share of each sublayer's result, and of the embeddings, that is dropped.
        norm_first: see `Residual`.
        norm_embeddings: whether the embeddings are normalised before the first layer.
        norm_eps: see `Residual`.
        activation: see `FeedForward`.
        bias: whether projections and networks have biases.
        num_kv_heads: see `MultiHeadAttention`.
        positions: "learned", "rotary" or "none".
        max_len: tokens that a text may have.
        num_segments: how many parts of a text are told apart, as two sentences; 0 for none.
        pooler: whether there is a layer that makes one vector of a whole text.
        checkpointing: see `Encoder`.

    Source: Devlin et al. 2019, section 3 (BERT), and Radford et al. 2019, section 2.3 (GPT-2):
    `preset("bert", ...)` and `preset("gpt2", ...)`, each in its smallest size. "tiny" is ours, made
    like GPT-2, for a short text and a CPU.

    Example:
        >>> config = LanguageModelConfig.preset("gpt2", vocab_size=97, num_layers=2)
        >>> config.embed_dim, config.num_layers, config.activation
        (768, 2, 'gelu_tanh')
    """

    vocab_size: int
    _: KW_ONLY
    embed_dim: int = 256
    num_heads: int = 4
    ffn_dim: int = 1024
    num_layers: int = 4
    dropout: float = 0.1
    norm_first: bool = True
    norm_embeddings: bool = False
    norm_eps: float = 1e-5
    activation: str = "gelu"
    bias: bool = True
    num_kv_heads: int | None = None
    positions: str = "learned"
    max_len: int = 512
    num_segments: int = 0
    pooler: bool = False
    checkpointing: bool = False

    @classmethod
    def preset(cls, name: str, vocab_size: int, **changes: Any) -> LanguageModelConfig:
        """Give the sizes of a known model, with changes.

        Args:
            name: "bert", "gpt2" or "tiny".
            vocab_size: number of token ids.
            changes: any other attribute.

        Raises:
            TypeError: if there is no such attribute.
            ValueError: if there is no such preset.
        """
        if not isinstance(name, str) or name not in LANGUAGE_PRESETS:
            raise ValueError(f"name must be one of {', '.join(LANGUAGE_PRESETS)}, got {name!r}")
        return replace(cls(vocab_size, **LANGUAGE_PRESETS[name]), **changes)


_SIZES = {"embed_dim": 768, "num_heads": 12, "ffn_dim": 3072, "num_layers": 12, "dropout": 0.1}
LANGUAGE_PRESETS: dict[str, dict[str, Any]] = {
    "bert": _SIZES
    | {
        "norm_first": False,
        "norm_embeddings": True,
        "norm_eps": 1e-12,
        "activation": "gelu",
        "max_len": 512,
        "num_segments": 2,
    },
    "gpt2": _SIZES | {"activation": "gelu_tanh", "max_len": 1024},
    "tiny": {"embed_dim": 64, "ffn_dim": 256, "num_layers": 2, "max_len": 64},
}
