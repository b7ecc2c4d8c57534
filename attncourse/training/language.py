"""The losses of language models (chapter 18): the next token, or the hidden ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from attncourse.data.masking import MaskedBatch
from attncourse.data.text import TokenBatch
from attncourse.training.loss import sequence_loss


def next_token_loss(model: nn.Module, batch: TokenBatch) -> Float[Tensor, ""]:
    r"""Mean cross-entropy of each token given those before it (chapter 18, eq. 18.1).

    $$L = -\frac{1}{n} \sum_{t=2}^{n+1} \ln p(x_t \mid x_1, \dots, x_{t-1})$$

    `fit(model, batches, loss=next_token_loss)` trains a causal language model.

    Args:
        model: called as `model(tokens, padding_mask=...)`, gives the logits (batch, length,
            vocabulary) of each next token, such as `CausalLanguageModel`.
        batch: texts, as `Windows` and `SentenceBatches` give them.

    Returns:
        A single number with a gradient, in nats per real token.

    Example:
        >>> import torch
        >>> from attncourse.language import CausalLanguageModel, LanguageModelConfig
        >>> config = LanguageModelConfig(97, embed_dim=12, num_heads=3, ffn_dim=17, num_layers=1)
        >>> model, tokens = CausalLanguageModel(config), torch.tensor([[4, 5, 6, 7]])
        >>> loss = next_token_loss(model, TokenBatch(tokens, tokens > 0))
        >>> abs(loss.item() - torch.tensor(97.0).log().item()) < 0.5  # nothing is learned yet
        True
    """
    tokens, mask = batch
    logits = model(tokens[:, :-1], padding_mask=mask[:, :-1])  # (batch, length - 1, vocabulary)
    return sequence_loss(logits, tokens[:, 1:], mask[:, 1:])


def masked_token_loss(model: nn.Module, batch: MaskedBatch) -> Float[Tensor, ""]:
    r"""Mean cross-entropy of the chosen words given the text around them (chapter 18, eq. 18.2).

    $$L = -\frac{1}{|C|} \sum_{t \in C} \ln p(x_t \mid \tilde{x})$$

    `fit(model, batches, loss=masked_token_loss)` trains a masked language model.

    Args:
        model: called as `model(tokens, padding_mask=..., chosen=...)`, gives the logits (chosen,
            vocabulary), such as `MaskedLanguageModel`.
        batch: texts with hidden words, as `MaskedBatches` gives them.

    Returns:
        A single number with a gradient, in nats per chosen word; zero where none is chosen.

    Example:
        >>> import torch
        >>> from attncourse.data.masking import mask_tokens
        >>> from attncourse.language import LanguageModelConfig, MaskedLanguageModel
        >>> config = LanguageModelConfig(97, embed_dim=12, num_heads=3, ffn_dim=17, num_layers=1)
        >>> batch = mask_tokens(torch.tensor([[4, 5, 6, 7]]), vocab_size=97, mask_id=96)
        >>> loss = masked_token_loss(MaskedLanguageModel(config), batch)
        >>> abs(loss.item() - torch.tensor(97.0).log().item()) < 0.5  # nothing is learned yet
        True
    """
    logits = model(batch.tokens, padding_mask=batch.padding_mask, chosen=batch.chosen)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))  # halves sum up badly
    total = F.cross_entropy(logits, batch.labels[batch.chosen], reduction="sum")
    return total / batch.chosen.sum().clamp(min=1)
