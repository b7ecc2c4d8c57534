"""A causal language model, as GPT (chapter 18): at each word it is asked for the next.

hidden = reader(tokens, causal=True)                      # (batch, length, embed_dim)
logits = hidden @ words.T
"""

from __future__ import annotations

from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from attncourse.attention import KeyValueCache
from attncourse.checks import as_column
from attncourse.language.config import LanguageModelConfig
from attncourse.language.reader import TextReader


class CausalLanguageModel(nn.Module):
    """Say at each token which one comes next, from those up to there (chapter 18).

    It writes with every search of `attncourse.decoding`, which takes a prompt in place of a source.

    Args:
        config: its sizes.

    Raises:
        TypeError, ValueError: as `TextReader`; if the config has segments or a pooler.

    Source: Radford et al. 2018, section 3.1, with the norms of Radford et al. 2019, section 2.3:
    first, and one more after the last layer.

    Example:
        >>> import torch
        >>> from attncourse.decoding import greedy
        >>> sizes = {"embed_dim": 12, "num_heads": 3, "ffn_dim": 17, "num_layers": 2}
        >>> model = CausalLanguageModel(LanguageModelConfig.preset("gpt2", 97, **sizes))
        >>> prompt = torch.tensor([[4, 5, 6]])
        >>> model(prompt).shape
        torch.Size([1, 3, 97])
        >>> greedy(model, prompt=prompt, bos=None, eos=None, pad=0, max_length=7).tokens.shape
        torch.Size([1, 7])
    """

    def __init__(self, config: LanguageModelConfig):
        super().__init__()
        self.reader = TextReader(config)
        for name in ("num_segments", "pooler"):
            if getattr(config, name):
                raise ValueError(
                    f"{name} must be {type(getattr(config, name))()} in a causal language model, "
                    f"got {getattr(config, name)}"
                )
        self.config = config
        self.output = nn.Linear(config.embed_dim, config.vocab_size, bias=False)
        self.output.weight = self.reader.words.weight

    def forward(
        self,
        tokens: Int64[Tensor, "batch length"],
        *,
        padding_mask: Bool[Tensor, "batch length"] | None = None,
    ) -> Float[Tensor, "batch length vocabulary"]:
        """Predict, at each token, the next one.

        Args:
            tokens, padding_mask: as for `TextReader`.

        Returns:
            (batch, length, vocabulary), logits. Those at padding mean nothing.
        """
        hidden = self.reader(tokens, padding_mask=padding_mask, causal=True)
        return self.output(hidden)

    def start(self, source: None = None, source_mask: None = None) -> list[KeyValueCache]:
        """Give the state before the first token: nothing in any layer's cache.

        Raises:
            TypeError: if there is a source, which a model without an encoder cannot read.
        """
        if source is not None or source_mask is not None:
            raise TypeError(
                "source must be None for a causal language model, which reads a prompt alone, got "
                f"{type(source if source is not None else source_mask).__name__}"
            )
        return [KeyValueCache() for _ in self.reader.encoder.layers]

    def step(
        self, tokens: Int64[Tensor, "batch"], state: list[KeyValueCache]
    ) -> tuple[Float[Tensor, "batch vocabulary"], list[KeyValueCache]]:
        """Read one token a text; give the logits of the next, and the state after it.

        The state that was given stays as it was, so that one can go on from it in several ways.
        """
        return self.read(as_column(tokens), state)

    def read(
        self, tokens: Int64[Tensor, "batch length"], state: list[KeyValueCache]
    ) -> tuple[Float[Tensor, "batch vocabulary"], list[KeyValueCache]]:
        """Read several tokens of each text at once; else as `step`."""
        caches = [cache.copy() for cache in state]
        hidden = self.reader(tokens, caches=caches)  # (batch, length, embed_dim)
        return self.output(hidden[:, -1]), caches
