"""attncourse.language: the summariser and its copy."""

from __future__ import annotations

import math

import contract
import pytest
import torch
from references import redrawn
from support import COMPILES, DTYPES, TOLERANCE, plain_weights, refused

from attncourse import padding_mask, record_attention
from attncourse.data.batches import Batches
from attncourse.data.extended import ExtendedVocabulary
from attncourse.data.vocabulary import BOS, EOS, PAD, UNK, Vocabulary
from attncourse.decoding import beam_search, greedy
from attncourse.language import CopyHead, Summariser
from attncourse.training import batch_loss, fit

VOCAB, UNKNOWN = 29, 2  # together the 31 ids of the contract's sources
BATCH, SOURCE, TARGET, WIDTH = 3, 7, 5, 11
SIZES = {"embed_dim": 12, "num_heads": 3, "ffn_dim": 17}


def summariser(**options):
    sizes = {"max_unknown": UNKNOWN, "num_decoder_layers": 2} | SIZES | options
    return Summariser(VOCAB, **sizes)


def drawn(**options):
    return redrawn(summariser(**options))


def head_of(dtype=torch.float64, **options):
    head = CopyHead(WIDTH, vocab_size=VOCAB, max_unknown=UNKNOWN, **options)
    return redrawn(head).to(dtype)


def inputs(dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(BATCH, TARGET, WIDTH, generator=generator, dtype=torch.float64)
    memory = torch.randn(BATCH, SOURCE, WIDTH, generator=generator, dtype=torch.float64)
    source = torch.randint(4, VOCAB + UNKNOWN, (BATCH, SOURCE), generator=generator)
    return hidden.to(dtype), memory.to(dtype), source


# The copy


def test_a_mixture_by_hand():
    """Two words written with 1/4 and 3/4, an article of words 1, 2, 1, gate 1/2."""
    head = CopyHead(1, vocab_size=2, max_unknown=1).double()
    with torch.no_grad():
        for weights in head.parameters():
            weights.zero_()
        head.output.bias.copy_(torch.tensor([0.0, math.log(3)], dtype=torch.float64))
    x = torch.ones(1, 1, 1, dtype=torch.float64)
    words = head(x, x.expand(1, 3, 1), torch.tensor([[1, 2, 1]])).exp()
    # Copied: 0, 2/3 and 1/3. Half of it and half of what is written: 1/8, 3/8 + 1/3, 1/6.
    wanted = torch.tensor([[[1 / 8, 3 / 8 + 1 / 3, 1 / 6]]], dtype=torch.float64)
    torch.testing.assert_close(words, wanted, rtol=1e-12, atol=1e-12)


def test_what_is_copied_is_the_sum_of_a_words_places():
    head, (hidden, memory, source) = head_of(), inputs()
    mask = padding_mask(torch.tensor([7, 2, 5]))
    copied = head.copy(hidden, memory, source, mask)
    scores = head.query_projection(hidden) @ head.key_projection(memory).mT / WIDTH**0.5
    weights = plain_weights(scores, mask[:, None].expand_as(scores))
    wanted = torch.zeros_like(copied)
    for b in range(BATCH):
        for t in range(TARGET):
            for i in range(SOURCE):
                wanted[b, t, source[b, i]] += weights[b, t, i]
    torch.testing.assert_close(copied, wanted, rtol=1e-12, atol=1e-12)


@DTYPES
def test_probabilities_sum_to_one(dtype):
    words = head_of(dtype)(*inputs(dtype)).double().exp()
    assert words.shape == (BATCH, TARGET, VOCAB + UNKNOWN)
    torch.testing.assert_close(words.sum(-1), torch.ones(BATCH, TARGET).double(), rtol=0, atol=0.1)
    tight = 1e-5 if dtype in (torch.float64, torch.float32) else TOLERANCE[dtype]
    assert (words.sum(-1) - 1).abs().max() < 4 * tight


def test_of_a_large_vocabulary_no_share_is_made_up_in_float16():
    """Kind: rounded. What is in no article was held as likely as the least float16, word by word:
    5,000 of them had a quarter."""
    torch.manual_seed(0)
    head = CopyHead(8, vocab_size=5_000, max_unknown=2)
    torch.nn.init.constant_(head.gate.bias, 2.0)  # nearly all is copied
    hidden, memory, source = torch.randn(1, 3, 8), torch.randn(1, 2, 8), torch.tensor([[4, 5_000]])
    wanted = head(hidden, memory, source).exp()
    words = head.half()(hidden.half(), memory.half(), source)
    assert words.dtype == torch.float16
    torch.testing.assert_close(
        words.double().exp().sum(-1), torch.ones(1, 3).double(), atol=0.02, rtol=0
    )
    torch.testing.assert_close(words.float().exp(), wanted, atol=0.01, rtol=0)


@pytest.mark.parametrize("copies", [True, False])
def test_gradients_are_finite_where_a_word_is_nowhere_to_be_copied(copies):
    head, (hidden, memory, source) = head_of(copies=copies), inputs()
    hidden.requires_grad_()
    source = torch.full_like(source, 5)  # one word everywhere, none of the article's own
    head(hidden, memory, source)[..., :VOCAB].sum().backward()
    for weights in (hidden, *head.parameters()):
        assert weights.grad is None or weights.grad.isfinite().all()
    assert hidden.grad.abs().sum() > 0


def test_a_word_that_is_not_in_the_article_cannot_be_copied():
    head, (hidden, memory, source) = head_of(), inputs()
    copied = head.copy(hidden, memory, source)
    absent = torch.ones(BATCH, VOCAB + UNKNOWN, dtype=torch.bool).scatter(1, source, False)
    assert (copied.transpose(0, 1)[:, absent] == 0).all()


def test_an_article_of_padding_alone_copies_nothing():
    head, (hidden, memory, source) = head_of(), inputs()
    mask = padding_mask(torch.tensor([7, 0, 5]))
    words = head(hidden, memory, source, mask)
    assert (head.copy(hidden, memory, source, mask)[1] == 0).all()
    assert words.isfinite().all()


def test_the_recorded_map_is_that_of_the_copy():
    model, source = drawn(), torch.tensor([[4, 29, 5, 30, 29], [4, 5, 0, 0, 0]])
    mask = padding_mask(torch.tensor([5, 2]))
    with torch.no_grad(), record_attention(model) as maps:
        recorded = model(source, torch.tensor([[1, 4], [1, 7]]), mask)
    assert maps["head"].shape == (2, 1, 2, 5)
    assert (maps["head"][1, ..., 2:] == 0).all()
    torch.testing.assert_close(maps["head"].sum(-1), torch.ones(2, 1, 2).double())
    with torch.no_grad():
        plain = model(source, torch.tensor([[1, 4], [1, 7]]), mask)
    torch.testing.assert_close(recorded, plain, rtol=1e-10, atol=1e-10)


# The summariser as a translator: the contract

KINDS = {
    "copies": {},
    "writes only": {"copies": False},
    "one decoder layer": {"num_decoder_layers": 1},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "what",
    [
        "no_logit_knows_a_later_token",
        "no_gradient_reaches_a_later_token",
        "step_by_step_is_the_parallel_pass",
        "selected_rows_go_on_as_if_alone",
        "a_state_stays_as_it_was",
        "padding_may_hold_anything",
        "the_loss_counts_real_tokens",
    ],
)
def test_the_contract_of_a_sequence_model(what, kind, device):
    model = drawn(**KINDS[kind])
    model.target_embedding = model.embedding  # where the contract looks for it
    getattr(contract, f"check_{what}")(model.to(device))


@pytest.mark.parametrize("kind", KINDS)
def test_each_article_is_as_if_alone(kind, monkeypatch):
    model = drawn(**KINDS[kind])
    monkeypatch.setattr(contract, "TARGET_VOCAB", VOCAB + UNKNOWN * model.head.copies)
    contract.check_each_sentence_is_as_if_alone(model)
    contract.check_a_sentence_without_words_is_harmless(model)


def test_recording_shows_the_masks_and_changes_nothing():
    contract.check_recording_shows_the_masks_and_changes_nothing(drawn())


def test_to_the_encoder_all_unknown_words_are_alike_and_in_the_copy_they_are_not():
    model = drawn().eval()
    one, other = torch.tensor([[4, 29, 5, 30]]), torch.tensor([[4, 30, 5, 29]])
    begun = torch.tensor([[BOS]])
    with torch.no_grad():
        first, second = model(one, begun), model(other, begun)
    torch.testing.assert_close(first[..., :VOCAB], second[..., :VOCAB], rtol=0, atol=1e-12)
    swapped = second[..., [*range(VOCAB), 30, 29]]
    torch.testing.assert_close(first, swapped, rtol=0, atol=1e-12)
    assert not torch.allclose(first, second)


def test_without_a_copy_unknown_words_are_all_the_same_and_none_is_written():
    model = drawn(copies=False).eval()
    source = torch.tensor([[4, 29, 5, 30]])
    with torch.no_grad():
        words = model(source, torch.tensor([[BOS, 30]]))
        as_unknown = model(torch.tensor([[4, UNK, 5, UNK]]), torch.tensor([[BOS, UNK]]))
    assert words.shape == (1, 2, VOCAB)
    torch.testing.assert_close(words, as_unknown, rtol=0, atol=1e-12)


@DTYPES
def test_every_dtype_runs_and_stays(dtype):
    model = drawn().to(dtype)
    words = model(torch.tensor([[4, 29, 5]]), torch.tensor([[BOS, 29]]))
    assert words.dtype == dtype
    words.float().logsumexp(-1).sum().backward()
    assert all(w.grad is None or w.grad.isfinite().all() for w in model.parameters())


@COMPILES
def test_the_copy_compiles_in_one_piece():
    head, given = head_of(), (*inputs(), padding_mask(torch.tensor([7, 2, 5])))
    compiled = torch.compile(head, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(*given), head(*given))


# It learns


def test_it_learns_to_copy_names_that_it_never_read():
    """Three words about a name; trained on names of one list, asked about another's."""
    torch.manual_seed(0)
    vocabulary = Vocabulary(["says", "so", "now"])
    orders = [["says", "{}"], ["{}", "so"], ["now", "{}", "so"], ["so", "now", "says", "{}"]]

    def pairs(names):
        found = []
        for name in names:
            for order in orders:
                words = [word.format(name) for word in order]
                extended = ExtendedVocabulary(vocabulary, words, 2)
                found.append((extended.encode(words), extended.encode([name, "now"])))
        return found

    model = Summariser(len(vocabulary), max_unknown=2, **SIZES, num_layers=1)
    batches = Batches(pairs([f"a{i}" for i in range(8)]), sentences=8)
    fit(model, batches, steps=60, learning_rate=0.01, device="cpu", progress=False)
    source = torch.tensor([[4, 7], [7, 5]])  # "says NAME", "NAME so"
    marks = {"bos": BOS, "eos": EOS, "pad": PAD, "max_length": 5}
    for search in (greedy, lambda *a, **k: beam_search(*a, beam_size=2, **k)):
        assert search(model, source, **marks).tokens.tolist() == [[7, 6, EOS], [7, 6, EOS]]
    loss = batch_loss(model, next(iter(batches)))
    assert loss.item() < 0.1


# Bad input


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"embed_dim": 13}, ValueError, ["num_heads", "13"]),
        ({"max_unknown": -1}, ValueError, ["max_unknown", "-1"]),
        ({"max_unknown": 1.5}, TypeError, ["max_unknown", "float"]),
        ({"copies": "no"}, TypeError, ["copies", "'no'"]),
        ({"dropout": 1}, ValueError, ["dropout", "1"]),
        ({"num_layers": 0}, ValueError, ["num_layers", "0"]),
        ({"num_decoder_layers": 0}, ValueError, ["num_decoder_layers", "0"]),
        ({"embed_dim": 0}, ValueError, ["embed_dim", "0"]),
        ({"embed_dim": "8"}, TypeError, ["embed_dim", "str"]),
    ],
    ids=str,
)
def test_sizes_that_do_not_fit_are_refused(own_errors, options, error, words):
    with refused(error, *words):
        summariser(**options)


def test_articles_that_cannot_be_read_are_refused(own_errors):
    model, begun = summariser(), torch.tensor([[BOS]])
    with refused(ValueError, "source", "at least one word", "none"):
        model(torch.zeros(1, 0, dtype=torch.long), begun)
    with refused(ValueError, "source", "0 to 30", "unknown words", "31"):
        model(torch.tensor([[31]]), begun)
    with refused(ValueError, "target", "-1"):
        model(torch.tensor([[4]]), torch.tensor([[-1]]))
    with refused(ValueError, "target", "begin mark"):
        model(torch.tensor([[4]]), torch.zeros(1, 0, dtype=torch.long))
    with refused(ValueError, "source and target", "2 and 1"):
        model(torch.tensor([[4], [5]]), begun)
    with refused(TypeError, "source", "int64", "float32"):
        model(torch.ones(1, 2), begun)
    with refused(ValueError, "source_mask", "True after False"):
        model(torch.tensor([[4, 5]]), begun, torch.tensor([[False, True]]))
    with refused(ValueError, "tokens and state", "1 and 2"):
        model.step(torch.tensor([BOS]), model.start(torch.tensor([[4], [5]])))
