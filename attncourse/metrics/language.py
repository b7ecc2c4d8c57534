"""How well a language model knows texts (chapter 18): perplexity, and hidden words named."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from attncourse.data.masking import MaskedBatch
from attncourse.data.text import TokenBatch
from attncourse.metrics.tallies import Tally, log_likelihood, perplexity
from attncourse.runtime import device_of, evaluating


def causal_perplexity(model: nn.Module, batches: Iterable[TokenBatch]) -> float:
    """Give the perplexity per token that a causal language model has on some texts (chapter 18).

    Padding is left out, and so is each text's first token, which nothing stands before. An end mark
    counts.

    Args:
        model: called as `model(tokens, padding_mask=...)`, such as `CausalLanguageModel`. Its mode
            is the same afterwards.
        batches: texts, as `SentenceBatches` and `Windows` give them; how they are cut into batches
            does not matter.

    Returns:
        1 or more. Only with the same vocabulary can two be compared.

    Raises:
        ValueError: if there is no token to be asked for.

    Example:
        >>> from attncourse.data.text import SentenceBatches
        >>> from attncourse.language import CausalLanguageModel, LanguageModelConfig
        >>> config = LanguageModelConfig(97, embed_dim=12, num_heads=3, ffn_dim=17, num_layers=1)
        >>> model = CausalLanguageModel(config)
        >>> 60 < causal_perplexity(model, SentenceBatches([[4, 5, 6]], batch_size=1)) < 160
        True
    """
    total, count = 0.0, 0
    with torch.no_grad(), evaluating(model):
        device = device_of(model)
        for batch in batches:
            tokens, mask = batch.tokens.to(device), batch.padding_mask.to(device)
            logits = model(tokens[:, :-1], padding_mask=mask[:, :-1])
            nats, asked = log_likelihood(logits, tokens[:, 1:], mask[:, 1:])
            total, count = total + nats, count + asked
    return perplexity(total, count)


def masked_accuracy(model: nn.Module, batches: Iterable[MaskedBatch]) -> Tally:
    """Count the hidden words that a masked language model names (chapter 18).

    Args:
        model: called as `model(tokens, padding_mask=..., chosen=...)`, such as
            `MaskedLanguageModel`. Its mode is the same afterwards.
        batches: texts with hidden words, as `MaskedBatches` gives them.

    Returns:
        The tally of all words that were chosen, also of those that stayed visible.

    Example:
        >>> from attncourse.data.masking import MaskedBatches
        >>> from attncourse.language import LanguageModelConfig, MaskedLanguageModel
        >>> config = LanguageModelConfig(97, embed_dim=12, num_heads=3, ffn_dim=17, num_layers=1)
        >>> batches = MaskedBatches([[4, 5, 6]], batch_size=1, vocab_size=97, mask_id=96)
        >>> masked_accuracy(MaskedLanguageModel(config), batches).tries
        1
    """
    tally = Tally()
    with torch.no_grad(), evaluating(model):
        device = device_of(model)
        for batch in batches:
            inputs = batch.tokens, batch.padding_mask, batch.chosen
            tokens, mask, chosen = (each.to(device) for each in inputs)
            logits = model(tokens, padding_mask=mask, chosen=chosen)  # (chosen, vocabulary)
            wanted = batch.labels.to(device)[chosen]
            hits = (logits.argmax(-1) == wanted) & ~logits.isnan().any(-1)  # argmax takes nan
            tally += Tally(int(hits.sum()), len(wanted))
    return tally
