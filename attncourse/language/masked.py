"""A masked language model, as BERT (chapter 18): some words are hidden, and it names them.

hidden = reader(tokens)                                   # (batch, length, embed_dim)
logits = norm(activation(transform(hidden))) @ words.T + bias
"""

from __future__ import annotations

from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from attncourse.attention.multi_head import glorot_linear
from attncourse.checks import require_counted
from attncourse.language.config import LanguageModelConfig
from attncourse.language.reader import TextReader
from attncourse.transformer.sublayers import ACTIVATIONS


class MaskedLanguageModel(nn.Module):
    """Say of each token which word stands there, from the words on both sides (chapter 18).

    Its training hides some words: `attncourse.data.masking`. The reader inside, `model.reader`, is
    what other tasks take over.

    Args:
        config: its sizes.

    Raises:
        TypeError, ValueError: as `TextReader`.

    Source: Devlin et al. 2019, section 3.1, task 1. That the head has a layer of its own, and the
    words' embeddings as its matrix, is in their code.

    Example:
        >>> import torch
        >>> sizes = {"embed_dim": 12, "num_heads": 3, "ffn_dim": 17, "num_layers": 2}
        >>> model = MaskedLanguageModel(LanguageModelConfig.preset("bert", 97, **sizes))
        >>> model(torch.tensor([[4, 5, 6, 7], [8, 9, 4, 5]])).shape
        torch.Size([2, 4, 97])
    """

    def __init__(self, config: LanguageModelConfig):
        super().__init__()
        self.config = config
        self.reader = TextReader(config)
        self.transform = glorot_linear(config.embed_dim, config.embed_dim, bias=True)
        self.norm = nn.LayerNorm(config.embed_dim, eps=config.norm_eps)
        self.output = nn.Linear(config.embed_dim, config.vocab_size)
        self.output.weight = self.reader.words.weight
        nn.init.zeros_(self.output.bias)

    def forward(
        self,
        tokens: Int64[Tensor, "batch length"],
        *,
        segments: Int64[Tensor, "batch length"] | None = None,
        padding_mask: Bool[Tensor, "batch length"] | None = None,
        chosen: Bool[Tensor, "batch length"] | None = None,
    ) -> Float[Tensor, "*places vocabulary"]:
        """Give each word's logits, at each token or at those that are asked for.

        Args:
            tokens, segments, padding_mask: as for `TextReader`.
            chosen: (batch, length), True at the tokens that are asked for; by default all are.

        Returns:
            (batch, length, vocabulary), or (chosen, vocabulary) in the order of the rows.
        """
        hidden = self.reader(tokens, segments=segments, padding_mask=padding_mask)
        if chosen is not None:
            require_counted("chosen", chosen, tokens.shape, "(batch, length)")
            hidden = hidden[chosen]  # (chosen, embed_dim)
        inside = ACTIVATIONS[self.config.activation](self.transform(hidden))
        return self.output(self.norm(inside))
