"""attncourse.data.masking: how many words are chosen, and what becomes of them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import refused

from attncourse import padding_mask
from attncourse.data.masking import MaskedBatches, mask_tokens

VOCAB, MASK = 53, 52
SPECIALS = {0, 1, 2, 3, MASK}


def texts(rows: int, length: int = 40, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw sentences of words between two marks; what stands at padding looks like a word."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(2, length + 1, (rows,), generator=generator)
    tokens = torch.randint(4, MASK, (rows, length), generator=generator)
    mask = padding_mask(lengths, length)
    tokens[:, 0] = 1
    tokens[torch.arange(rows), lengths - 1] = 2
    return tokens.masked_fill(~mask, 7), mask


def hidden(tokens, mask=None, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    sizes = {"vocab_size": VOCAB, "mask_id": MASK}
    return mask_tokens(tokens, mask, **sizes | options, generator=generator)


# How many


@pytest.mark.parametrize(
    ("words", "wanted"), [(0, 0), (1, 1), (3, 1), (9, 1), (12, 2), (20, 3), (29, 4), (41, 6)]
)
def test_of_so_many_words_so_many_are_chosen(words, wanted):
    """15% by hand: 1.8 of 12, 3 of 20, 4.35 of 29, 6.15 of 41; one at least, if there is one."""
    tokens = torch.tensor([[1, *[7] * words, 2, 0, 0]]).expand(17, -1)
    assert hidden(tokens, tokens > 0).chosen.sum(1).tolist() == [wanted] * 17


def test_every_word_is_as_likely_to_be_chosen():
    tokens = torch.tensor([[1, *range(4, 24), 2]]).expand(20_000, -1)
    shares = hidden(tokens).chosen.double().mean(0)
    assert shares[0] == shares[-1] == 0
    odds = 3 / 20
    assert ((shares[1:-1] - odds).abs() < 4 * (odds * (1 - odds) / 20_000) ** 0.5).all()


def test_no_two_words_are_chosen_together_more_often_than_others():
    tokens = torch.tensor([[4, 5, 6, 7, 8]]).expand(20_000, -1)
    chosen = hidden(tokens, share=0.4).chosen.double()  # two of five: ten pairs
    together = chosen.T @ chosen / 20_000
    odds = 1 / 10
    for i in range(5):
        for j in range(i):
            assert abs(together[i, j] - odds) < 4 * (odds * (1 - odds) / 20_000) ** 0.5


@given(st.integers(0, 2**32), st.floats(0, 1), st.floats(0, 1))
def test_specials_and_padding_are_left_alone(seed, share, masked):
    tokens, mask = texts(7, seed=seed)
    batch = hidden(tokens, mask, seed=seed, share=share, masked=masked, changed=1 - masked)
    assert not (batch.chosen & ~mask).any()
    assert not set(tokens[batch.chosen].tolist()) & SPECIALS
    assert torch.equal(batch.tokens[~batch.chosen], tokens[~batch.chosen])
    assert torch.equal(batch.labels, tokens)
    assert torch.equal(batch.padding_mask, mask)
    assert set(batch.tokens[batch.chosen].tolist()) <= set(range(4, VOCAB))


# What becomes of them


def test_eight_of_ten_are_masked_one_is_changed_and_one_is_kept():
    """A drawn word is by chance the old one for one in 48: changed is 0.1 * 47/48."""
    tokens = torch.randint(4, MASK, (4000, 40), generator=torch.Generator().manual_seed(1))
    batch = hidden(tokens)
    chosen = batch.chosen
    count = int(chosen.sum())
    assert count == 4000 * 6
    masked = (batch.tokens == MASK)[chosen].double().mean().item()
    kept = (batch.tokens == tokens)[chosen].double().mean().item()
    for share, odds in ((masked, 0.8), (kept, 0.1 + 0.1 / 48)):
        assert abs(share - odds) < 4 * (odds * (1 - odds) / count) ** 0.5
    drawn = batch.tokens[chosen & (batch.tokens != MASK) & (batch.tokens != tokens)]
    counts = torch.bincount(drawn, minlength=VOCAB)
    assert counts[list(SPECIALS)].sum() == 0
    expected = len(drawn) / 48  # about 49 of each word
    assert ((counts[4:MASK] - expected).abs() < 5 * expected**0.5).all()


@pytest.mark.parametrize(
    ("options", "outcome"),
    [
        ({"masked": 1.0, "changed": 0.0}, "mask"),
        ({"masked": 0.0, "changed": 0.0}, "same"),
        ({"masked": 0.0, "changed": 1.0}, "word"),
    ],
)
def test_shares_of_all_and_none_leave_nothing_to_chance(options, outcome):
    tokens, mask = texts(50)
    batch = hidden(tokens, mask, **options)
    read, was = batch.tokens[batch.chosen], batch.labels[batch.chosen]
    if outcome == "mask":
        assert (read == MASK).all()
    elif outcome == "same":
        assert torch.equal(read, was)
    else:
        assert (read != MASK).all()
        assert (read != was).double().mean() > 0.9


def test_other_specials_may_be_named():
    tokens = torch.tensor([[4, 5, 6, 7]]).expand(300, -1)
    batch = hidden(tokens, specials=[4, 5], masked=0.0, changed=1.0, share=1.0)
    assert batch.chosen.sum(0).tolist() == [0, 0, 300, 300]
    assert set(batch.tokens[:, 2:].flatten().tolist()) == {0, 1, 2, 3, *range(6, MASK)}


def test_specials_may_come_one_by_one(own_errors):
    """Kind: used up. They were checked, and then there were none left to leave alone."""
    tokens = torch.tensor([[0, 4, 1]])
    batch = hidden(tokens, specials=(each for each in (0, 1)), share=1.0)
    assert batch.chosen.tolist() == [[False, True, False]]


def test_the_generator_decides():
    tokens, mask = texts(9)
    one, same, other = (hidden(tokens, mask, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.tokens, same.tokens)
    assert not torch.equal(one.chosen, other.chosen)
    before = torch.get_rng_state()
    hidden(tokens, mask)
    assert torch.equal(torch.get_rng_state(), before)


# Batches

SENTENCES = [[4 + (i + j) % 40 for j in range(3 + i % 7)] for i in range(30)]


def batches(**options) -> MaskedBatches:
    return MaskedBatches(
        SENTENCES, **{"batch_size": 8, "vocab_size": VOCAB, "mask_id": MASK} | options
    )


def test_every_epoch_hides_other_words_and_a_validation_the_same():
    def epoch(source):
        return torch.cat([batch.chosen.flatten() for batch in source])

    trained = batches(generator=torch.Generator().manual_seed(3))
    assert not torch.equal(epoch(trained), epoch(trained))
    held = batches()
    assert torch.equal(epoch(held), epoch(held))
    trained.generator.manual_seed(3)
    first = [batch.tokens for batch in trained]
    trained.generator.manual_seed(3)
    assert all(map(torch.equal, first, [batch.tokens for batch in trained]))


def test_every_sentence_comes_once_an_epoch_with_its_marks():
    seen = []
    for batch in batches(generator=torch.Generator(), bucket=10):
        assert batch.tokens.shape[0] <= 8
        for row, mask in zip(batch.labels.tolist(), batch.padding_mask.tolist(), strict=True):
            real = row[: sum(mask)]
            assert (real[0], real[-1]) == (1, 2)
            seen.append(real[1:-1])
    assert sorted(seen) == sorted(SENTENCES)
    assert len(batches()) == 4


# Bad input


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"tokens": torch.ones(3)}, TypeError, ["tokens", "int64"]),
        ({"tokens": torch.full((2, 3), VOCAB)}, ValueError, ["tokens", "0 to 52", "53"]),
        ({"mask": torch.ones(2, 3)}, TypeError, ["padding_mask", "boolean"]),
        ({"share": 1.5}, ValueError, ["share", "[0, 1]", "1.5"]),
        ({"share": -0.1}, ValueError, ["share", "-0.1"]),
        ({"share": "15%"}, TypeError, ["share", "number", "str"]),
        ({"masked": 0.8, "changed": 0.3}, ValueError, ["masked and changed", "0.8 and 0.3"]),
        ({"mask_id": VOCAB}, ValueError, ["mask_id", "0 ... 52", "53"]),
        ({"mask_id": 2.0}, TypeError, ["mask_id", "integer"]),
        ({"specials": [0, -1]}, ValueError, ["specials", "-1"]),
        ({"specials": range(VOCAB)}, ValueError, ["specials", "leave a word"]),
        ({"vocab_size": 0}, ValueError, ["vocab_size", "positive"]),
    ],
    ids=str,
)
def test_what_cannot_be_hidden_is_refused(own_errors, changes, error, words):
    options = {"tokens": torch.full((2, 3), 5), "mask": None} | changes
    with refused(error, *words):
        hidden(options.pop("tokens"), options.pop("mask"), **options)


def test_no_sentences_are_refused(own_errors):
    with refused(ValueError, "sentences", "none"):
        MaskedBatches([], batch_size=2, vocab_size=VOCAB, mask_id=MASK)
