"""Losses and measures of language models: by hand, and lower after some training."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from small_language import LENGTHS, causal, masked, texts

from attncourse import fit
from attncourse.data.masking import MaskedBatch, MaskedBatches, mask_tokens
from attncourse.data.text import SentenceBatches, TokenBatch, Windows
from attncourse.language import CausalLanguageModel, LanguageModelConfig, MaskedLanguageModel
from attncourse.metrics import causal_perplexity, masked_accuracy
from attncourse.training import masked_token_loss, mean_loss, next_token_loss


def likely(model, tokens) -> torch.Tensor:
    return model(torch.tensor([tokens]))[0].log_softmax(-1)


def test_the_next_token_loss_is_the_mean_over_real_tokens():
    model, (tokens, mask) = causal(), texts()
    total, count = 0.0, 0
    for row, length in zip(tokens.tolist(), LENGTHS.tolist(), strict=True):
        each = likely(model, row[:length])
        for place in range(length - 1):
            total -= each[place, row[place + 1]].item()
            count += 1
    batch = TokenBatch(tokens.masked_fill(~mask, -100), mask)
    assert next_token_loss(model, batch).item() == pytest.approx(total / count, abs=1e-10)


def test_the_masked_loss_is_the_mean_over_chosen_words():
    model, (tokens, mask) = masked(), texts()
    batch = mask_tokens(tokens, mask, vocab_size=31, mask_id=30, share=0.5)
    total = 0.0
    for row, length in enumerate(LENGTHS.tolist()):
        each = likely(model, batch.tokens[row, :length].tolist())
        for place in batch.chosen[row].nonzero().flatten().tolist():
            total -= each[place, tokens[row, place]].item()
    wanted = total / batch.chosen.sum().item()
    assert masked_token_loss(model, batch).item() == pytest.approx(wanted, abs=1e-10)
    assert masked_token_loss(model, batch).dtype == torch.float64


def test_where_nothing_is_chosen_the_loss_is_zero_and_has_a_gradient():
    tokens = torch.tensor([[1, 2]])
    batch = mask_tokens(tokens, vocab_size=31, mask_id=30)
    loss = masked_token_loss(masked(), batch)
    loss.backward()
    assert loss.item() == 0


@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_perplexity_is_that_of_all_tokens_however_they_are_batched(size):
    model = causal().train()
    sentences = [[4, 5, 6], [7], [8, 9, 10, 11, 12], [13, 14], [4, 4]]
    total, count = 0.0, 0
    model.eval()
    for sentence in sentences:
        read = [1, *sentence, 2]
        each = likely(model, read)
        total -= sum(each[place, read[place + 1]].item() for place in range(len(read) - 1))
        count += len(read) - 1
    model.train()
    found = causal_perplexity(model, SentenceBatches(sentences, batch_size=size))
    assert found == pytest.approx(math.exp(total / count), rel=1e-9)
    assert model.training


def test_hidden_words_that_are_named_are_counted():
    tokens = torch.tensor([[1, 4, 5, 6, 2], [1, 7, 8, 2, 0]])
    chosen = torch.tensor([[False, True, False, True, False], [False, False, True, False, False]])

    class Sure(torch.nn.Module):
        """Names 6 everywhere."""

        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))

        def forward(self, tokens, padding_mask, chosen):
            logits = torch.zeros(int(chosen.sum()), 31)
            logits[:, 6] = 1.0
            return logits

    tally = masked_accuracy(Sure(), [MaskedBatch(tokens, tokens > 0, tokens, chosen)] * 2)
    assert (tally.hits, tally.tries) == (2, 6)


def test_a_hidden_word_whose_logit_is_not_a_number_is_not_named():
    """Kind: taken for the most. `argmax` takes NaN for the largest, and it was counted as right."""
    model, chosen = masked(), torch.tensor([[True, False]])
    torch.nn.init.constant_(model.output.bias[4:5], torch.nan)
    tokens = torch.tensor([[4, 5]])
    batch = MaskedBatch(tokens, torch.ones_like(chosen), tokens, chosen)
    assert masked_accuracy(model, [batch]).hits == 0


def test_no_texts_have_no_perplexity():
    with pytest.raises(ValueError, match="tokens must be 1 or more"):
        causal_perplexity(causal(), [])


# Trained

OPTIONS = {"learning_rate": 0.01, "device": "cpu", "progress": False}
SIZES = {"embed_dim": 16, "num_heads": 2, "ffn_dim": 32, "num_layers": 1, "dropout": 0.0}


def test_a_causal_model_learns_a_text_that_counts():
    ids = [4 + i % 7 for i in range(400)]
    cut = partial(Windows, length=13, batch_size=8)
    model = CausalLanguageModel(LanguageModelConfig(11, **SIZES, max_len=13))
    before = causal_perplexity(model, cut(ids[300:]))
    training = cut(ids[:300], generator=torch.Generator())
    history = fit(
        model, training, epochs=10, loss=next_token_loss, validation=cut(ids[300:]), **OPTIONS
    )
    after = causal_perplexity(model, cut(ids[300:]))
    assert after < 1.3 < 7 < before
    assert math.log(after) == pytest.approx(
        mean_loss(model, cut(ids[300:]), loss=next_token_loss), abs=1e-5
    )
    assert len(history.validation_loss) == 10


def test_a_masked_model_learns_to_find_a_word_beside_it():
    """Each sentence says one word five times: a hidden one is that of the others."""
    sentences = [[4 + i % 7] * 5 for i in range(28)]
    batches = partial(MaskedBatches, batch_size=14, vocab_size=12, mask_id=11)
    model = MaskedLanguageModel(LanguageModelConfig(12, **SIZES, max_len=7))
    before = masked_accuracy(model, batches(sentences)).share
    training = batches(sentences, generator=torch.Generator())
    fit(model, training, epochs=30, loss=masked_token_loss, **OPTIONS)
    assert before < 0.5
    assert masked_accuracy(model, batches(sentences)).share > 0.9
