"""attncourse.decoding: searches against search by hand and over everything, draws against odds."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import refused
from torch import Tensor, nn

from attncourse import padding_mask
from attncourse.decoding import Decoded, beam_search, greedy, sample, select
from attncourse.recurrent import AttentionDecoder, EncoderDecoder, GRUDecoder, GRUEncoder

BOS, EOS, PAD = 1, 2, 0
MARKS = {"bos": BOS, "eos": EOS, "pad": PAD}
LOWEST = -1e9  # a logit that gives no probability


class Markov:
    """A model whose next token depends on the last one and on the sentence's first source id.

    `tables` are logits, (kinds, last, next). The state carries the tokens read so far, so that a
    row that goes astray shows, in a nesting of every kind of container.
    """

    def __init__(self, tables: Tensor):
        self.tables = tables
        self.rows: list[int] = []  # of each call of `step`
        self.read: list[Tensor] = []  # what the last call of `step` had read, row by row

    def start(self, source, source_mask=None):
        empty = torch.zeros(len(source), 0, dtype=torch.int64, device=source.device)
        return {"kind": (source[:, 0], [None, empty])}

    def step(self, tokens, state):
        kind, (nothing, read) = state["kind"]
        assert nothing is None
        self.rows.append(len(tokens))
        read = torch.cat([read, tokens[:, None]], 1)
        self.read = read
        return self.tables[kind, tokens], {"kind": (kind, [None, read])}


class Remembering(Markov):
    """Depends on everything read so far: logits drawn from the history's own number."""

    def step(self, tokens, state):
        _, state = super().step(tokens, state)
        kind, (_, read) = state["kind"]
        rows = []
        for k, history in zip(kind.tolist(), read.tolist(), strict=True):
            seed = hash((k, *history)) % 2**31
            generator = torch.Generator().manual_seed(seed)
            size = self.tables.shape[-1]
            rows.append(2 * torch.randn(size, generator=generator, dtype=torch.float64))
        return torch.stack(rows), state


def tables(kinds: int, vocabulary: int, seed: int = 0, spread: float = 2.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = kinds, vocabulary, vocabulary
    return spread * torch.randn(shape, generator=generator, dtype=torch.float64)


def kinds(count: int) -> Tensor:
    return torch.arange(count)[:, None]


def log_probability(model, kind: int, tokens: list[int]) -> float:
    """Add the log-probabilities of a sentence's tokens, one at a time."""
    state, last, total = model.start(torch.tensor([[kind]])), BOS, 0.0
    for token in tokens:
        logits, state = model.step(torch.tensor([last]), state)
        total += logits[0].double().log_softmax(-1)[token].item()
        last = token
    return total


def best_of_all(model, kind: int, vocabulary: int, max_length: int, penalty: float) -> float:
    """Score every sentence that ends in time, and every one that is cut; give the best score."""
    words = [token for token in range(vocabulary) if token != EOS]
    ended = [
        [*body, EOS]
        for length in range(max_length)
        for body in itertools.product(words, repeat=length)
    ]
    cut = [list(body) for body in itertools.product(words, repeat=max_length)]
    return max(score(log_probability(model, kind, one), len(one), penalty) for one in ended + cut)


def score(total: float, length: int, penalty: float) -> float:
    """Give a number that grows with log p / ((5 + length) / 6)^penalty, and cannot overflow."""
    return penalty * math.log((5 + length) / 6) - math.log(-total) if total else math.inf


def lists(decoded: Decoded) -> list[list[int]]:
    return [
        row[:length]
        for row, length in zip(decoded.tokens.tolist(), decoded.lengths.tolist(), strict=True)
    ]


def translator(decoder, dtype=torch.float64) -> EncoderDecoder:
    """Draw a small model with weights large enough that it says something."""
    generator = torch.Generator().manual_seed(7)
    encoder = GRUEncoder(19, embed_dim=5, hidden_dim=7, bidirectional=True)
    decoder = decoder(13, embed_dim=5, hidden_dim=11, memory_dim=14, dropout=0.5)
    model = EncoderDecoder(encoder, decoder).to(dtype)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64))
        model.decoder.readout.output.bias[EOS] += 2  # so that sentences end, sooner or later
    return model


def sampled(*inputs, **options) -> Decoded:
    """Draw where there is no choice."""
    return sample(*inputs, top_k=1, temperature=0.7, **options)


DECODERS = pytest.mark.parametrize("decoder", [GRUDecoder, AttentionDecoder])
SEARCHES = pytest.mark.parametrize(
    "search",
    [
        greedy,
        lambda *inputs, **options: beam_search(*inputs, beam_size=3, **options),
        lambda *inputs, **options: beam_search(*inputs, beam_size=5, length_penalty=0.7, **options),
        sampled,
    ],
    ids=["greedy", "beam", "penalised", "sampled"],
)


# Rows of a state


class Pair(NamedTuple):
    left: Tensor
    right: Tensor | None


def test_rows_are_taken_from_every_tensor_of_a_nesting():
    first, second = torch.arange(10).view(5, 2), torch.arange(5.0).view(5, 1, 1)
    state = [Pair(first, None), {"a": (second, None), "b": [first]}]
    taken = select(state, torch.tensor([3, 0, 3]))
    assert isinstance(taken, list)
    assert isinstance(taken[0], Pair)
    assert taken[0].left.tolist() == [[6, 7], [0, 1], [6, 7]]
    assert taken[0].right is None
    assert isinstance(taken[1]["a"], tuple)
    assert taken[1]["a"][0].flatten().tolist() == [3, 0, 3]
    assert taken[1]["b"][0].tolist() == taken[0].left.tolist()
    assert first.tolist()[0] == [0, 1]


def test_what_has_no_rows_is_refused(own_errors):
    with refused(TypeError, "state", "tuples", "str"):
        select((torch.zeros(2), "a"), torch.tensor([0]))


# By hand


def test_greedy_takes_the_likeliest_token_each_time():
    # from <bos>: 3 with 1/2; from 3: 4 with 3/4; from 4: the end with 2/3
    logits = torch.full((1, 5, 5), LOWEST, dtype=torch.float64)
    logits[0, BOS, [3, 4, EOS]] = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).log()
    logits[0, 3, [4, EOS]] = torch.tensor([0.75, 0.25], dtype=torch.float64).log()
    logits[0, 4, [EOS, 3]] = torch.tensor([2 / 3, 1 / 3], dtype=torch.float64).log()
    decoded = greedy(Markov(logits), kinds(1), **MARKS, max_length=7)
    assert decoded.tokens.tolist() == [[3, 4, EOS]]
    assert decoded.lengths.tolist() == [3]
    assert decoded.log_probability.item() == pytest.approx(math.log(1 / 2 * 3 / 4 * 2 / 3))


def likelier_later() -> Markov:
    """Greedy begins with 3 (0.6), behind which all is uncertain; 4 (0.4) ends for certain."""
    logits = torch.full((1, 9, 9), LOWEST, dtype=torch.float64)
    logits[0, BOS, [3, 4]] = torch.tensor([0.6, 0.4], dtype=torch.float64).log()
    logits[0, 3, [5, 6, 7]] = torch.tensor([0.4, 0.35, 0.25], dtype=torch.float64).log()
    logits[0, [4, 5, 6, 7], EOS] = 0.0
    return Markov(logits)


def test_a_beam_finds_a_likelier_sentence_than_greedy():
    model = likelier_later()
    first = greedy(model, kinds(1), **MARKS, max_length=7)
    assert first.tokens.tolist() == [[3, 5, EOS]]
    assert first.log_probability.item() == pytest.approx(math.log(0.24))
    second = beam_search(model, kinds(1), **MARKS, max_length=7, beam_size=2)
    assert second.tokens.tolist() == [[4, EOS]]
    assert second.log_probability.item() == pytest.approx(math.log(0.4))


def test_the_length_penalty_is_that_of_the_paper():
    # 4 and the end: ln 0.4 / (7/6)^a. 3, 5 and the end: ln 0.24 / (8/6)^a. They are equal
    # where (8/7)^a = ln 0.24 / ln 0.4, at a = 3.31
    model = likelier_later()
    turn = math.log(math.log(0.24) / math.log(0.4)) / math.log(8 / 7)
    for penalty, expected in ((turn - 1e-3, [4, EOS]), (turn + 1e-3, [3, 5, EOS])):
        decoded = beam_search(
            model, kinds(1), **MARKS, max_length=7, beam_size=4, length_penalty=penalty
        )
        assert lists(decoded) == [expected]
    assert decoded.log_probability.item() == pytest.approx(math.log(0.24))  # not divided


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("penalty", [20, np.float16(500.0), 5000.0, 1e308], ids=repr)
@pytest.mark.usefixtures("own_errors")
def test_no_length_penalty_overflows(penalty, dtype):
    # Kind: a number that is admitted must not overflow on the way. Where the length decides, the
    # longest beginnings win, and among equals in length the likelier one.
    model = likelier_later()
    model.tables = model.tables.clamp(min=-30.0).to(dtype)
    model.tables[:, 3, EOS] = model.tables[:, [4, 5, 6, 7], 3] = -torch.inf
    model.tables[0, [4, 5, 6, 7], EOS] = 0.0
    decoded = beam_search(
        model, kinds(1), **MARKS, max_length=3, beam_size=4, length_penalty=penalty
    )
    assert lists(decoded) == [[3, 5, EOS]]


@SEARCHES
def test_a_sentence_that_does_not_end_is_cut(search):
    logits = torch.full((1, 5, 5), LOWEST, dtype=torch.float64)
    logits[0, :, 4] = 0.0
    model = Markov(logits)
    decoded = search(model, kinds(1), **MARKS, max_length=3)
    assert decoded.tokens.tolist() == [[4, 4, 4]]
    assert decoded.lengths.tolist() == [3]
    assert len(model.rows) == 3
    assert lists(search(model, kinds(1), **MARKS, max_length=1)) == [[4]]


def ends_after(*lengths: int, beside: float = LOWEST) -> Markov:
    """Count upwards from 3; sentence i ends with its `lengths[i]`-th token. `beside` is the logit
    of breaking off: of padding, and the end behind it."""
    size = 4 + max(lengths)
    logits = torch.full((len(lengths), size, size), LOWEST, dtype=torch.float64)
    for kind, length in enumerate(lengths):
        tokens = [BOS, *range(3, 2 + length), EOS]
        for last, token in itertools.pairwise(tokens):
            logits[kind, last, token] = 0.0
            logits[kind, last, PAD] = beside
        logits[kind, PAD, EOS] = 0.0
    return Markov(logits)


def test_finished_sentences_leave_the_batch():
    model = ends_after(2, 5, 1, 5, 3)
    decoded = greedy(model, kinds(5), **MARKS, max_length=11)
    assert lists(decoded) == [[3, 2], [3, 4, 5, 6, 2], [2], [3, 4, 5, 6, 2], [3, 4, 2]]
    assert decoded.tokens[2].tolist() == [2, 0, 0, 0, 0]
    assert model.rows == [5, 4, 3, 2, 2]


def test_sentences_whose_beam_is_decided_leave_the_batch():
    model = ends_after(2, 5, 1, 5, 3, beside=-20.0)  # no break-off is as likely as the sentence
    decoded = beam_search(model, kinds(5), **MARKS, max_length=11, beam_size=3)
    assert lists(decoded) == [[3, 2], [3, 4, 5, 6, 2], [2], [3, 4, 5, 6, 2], [3, 4, 2]]
    assert model.rows == [5, 4 * 3, 3 * 3, 2 * 3, 2 * 3]


@SEARCHES
def test_no_step_is_made_after_the_last_sentence_ended(search):
    model = ends_after(1, 1)
    search(model, kinds(2), **MARKS, max_length=97)
    assert model.rows == [2]


def test_greedy_reads_what_it_wrote():
    model = Markov(tables(5, 7, seed=3))
    decoded = greedy(model, kinds(5), **MARKS, max_length=6)
    left = [row for row in lists(decoded) if len(row) == len(model.rows)]
    assert model.read.tolist() == [[BOS, *row[:-1]] for row in left]


# Against a search over everything


@given(
    st.integers(0, 10**6),
    st.integers(3, 4),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.6, 1.0, 2.5, 500.0, 5000.0]),  # the last two: a penalty overflows
    st.booleans(),
)
@settings(max_examples=40)
def test_a_beam_wide_enough_finds_the_best_of_all(seed, vocabulary, max_length, penalty, history):
    model = (Remembering if history else Markov)(tables(3, vocabulary, seed))
    if history:
        model.tables = model.tables[..., :vocabulary]
    decoded = beam_search(
        model,
        kinds(3),
        **MARKS,
        max_length=max_length,
        beam_size=vocabulary**max_length,
        length_penalty=penalty,
    )
    for kind, tokens in enumerate(lists(decoded)):
        assert EOS not in tokens[:-1]
        exact = log_probability(model, kind, tokens)
        assert decoded.log_probability[kind].item() == pytest.approx(exact, rel=1e-12)
        best = best_of_all(model, kind, vocabulary, max_length, penalty)
        assert score(exact, len(tokens), penalty) == pytest.approx(best, rel=1e-12, abs=1e-12)


@given(st.integers(0, 10**6), st.integers(1, 9), st.sampled_from([0.0, 1.0, 5.0]))
def test_a_beam_of_one_is_greedy(seed, max_length, penalty):
    model = Remembering(tables(5, 5, seed))
    first = greedy(model, kinds(5), **MARKS, max_length=max_length)
    second = beam_search(
        model, kinds(5), **MARKS, max_length=max_length, beam_size=1, length_penalty=penalty
    )
    assert torch.equal(first.tokens, second.tokens)
    assert torch.equal(first.lengths, second.lengths)
    torch.testing.assert_close(first.log_probability, second.log_probability)


@given(st.integers(0, 10**6), st.integers(1, 6), st.sampled_from([0.0, 0.8]))
def test_sentences_do_not_hear_each_other(seed, beam_size, penalty):
    model = Remembering(tables(5, 7, seed))
    options = {**MARKS, "max_length": 6, "beam_size": beam_size, "length_penalty": penalty}
    together = beam_search(model, kinds(5), **options)
    for kind, tokens in enumerate(lists(together)):
        alone = beam_search(model, kinds(5)[kind : kind + 1], **options)
        assert lists(alone) == [tokens]
        torch.testing.assert_close(alone.log_probability[0], together.log_probability[kind])


@given(st.integers(0, 10**6), st.integers(1, 5), st.sampled_from([0.0, 0.8, 3.0, 5000.0]))
@settings(max_examples=40)
def test_stopping_early_loses_nothing(seed, beam_size, penalty):
    # Followed to the end without ever stopping, written plainly with lists.
    vocabulary, max_length = 5, 6
    model = Remembering(tables(1, vocabulary, seed))
    beam, ended = [(0.0, [])], []
    for length in range(1, max_length + 1):
        longer = [
            (log_probability(model, 0, [*tokens, token]), [*tokens, token])
            for _, tokens in beam
            for token in range(vocabulary)
        ]
        longer = sorted(longer, reverse=True)[:beam_size]
        ended += [one for one in longer if one[1][-1] == EOS or length == max_length]
        beam = [one for one in longer if one[1][-1] != EOS]
    total, tokens = max(ended, key=lambda one: score(one[0], len(one[1]), penalty))
    decoded = beam_search(
        model,
        kinds(1),
        **MARKS,
        max_length=max_length,
        beam_size=beam_size,
        length_penalty=penalty,
    )
    assert lists(decoded) == [tokens]
    assert decoded.log_probability.item() == pytest.approx(total)


@given(st.integers(0, 10**6))
def test_what_stands_behind_the_end_is_padding(seed):
    decoded = greedy(Markov(tables(7, 5, seed)), kinds(7), bos=BOS, eos=EOS, pad=4, max_length=9)
    assert decoded.tokens.shape[1] == decoded.lengths.max()
    for row, length in zip(decoded.tokens.tolist(), decoded.lengths.tolist(), strict=True):
        assert EOS not in row[: length - 1]
        assert row[length - 1] == EOS or length == 9
        assert row[length:] == [4] * (len(row) - length)


# With the models of the course


@DECODERS
@SEARCHES
def test_batched_is_one_by_one(decoder, search, device):
    model = translator(decoder).to(device)
    if search in (greedy, sampled):  # alone they seldom meet the end mark
        model.decoder.readout.output.bias.data[EOS] += 3.0
    lengths = torch.tensor([7, 1, 5, 3, 7, 2, 6, 4, 1, 5, 7])
    source, mask = torch.randint(19, (11, 7)), padding_mask(lengths, 7)
    source, mask = source.to(device), mask.to(device)
    together = search(model, source, mask, **MARKS, max_length=11)
    assert together.tokens.device.type == device.type
    assert len(set(together.lengths.tolist())) > 1, "a case that shows nothing"
    for i, length in enumerate(lengths.tolist()):
        alone = search(model, source[i : i + 1, :length], **MARKS, max_length=11)
        assert lists(alone) == lists(together)[i : i + 1]
        torch.testing.assert_close(alone.log_probability[0], together.log_probability[i])


@DECODERS
@SEARCHES
def test_the_log_probability_is_that_of_the_forward_pass(decoder, search):
    model = translator(decoder).eval()
    source = torch.randint(19, (5, 7))
    decoded = search(model, source, **MARKS, max_length=11)
    mask = padding_mask(decoded.lengths, decoded.tokens.shape[1])
    read = torch.cat([torch.full((5, 1), BOS), decoded.tokens[:, :-1]], 1)
    each = model(source, read).log_softmax(-1).gather(2, decoded.tokens[..., None])[..., 0]
    torch.testing.assert_close(decoded.log_probability, (each * mask).sum(1))
    if search is greedy:
        assert torch.equal(model(source, read).argmax(-1)[mask], decoded.tokens[mask])


@SEARCHES
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_probabilities_are_summed_in_single_precision_at_least(search, dtype):
    model = translator(AttentionDecoder, dtype)
    decoded = search(model, torch.randint(19, (3, 5)), **MARKS, max_length=7)
    wanted = torch.float64 if dtype == torch.float64 else torch.float32
    assert decoded.log_probability.dtype == wanted
    assert decoded.tokens.dtype == decoded.lengths.dtype == torch.int64


@SEARCHES
def test_low_precision_does_not_reach_the_probabilities(search):
    model = translator(AttentionDecoder, torch.bfloat16)
    logits = []

    class Listening:
        def start(self, *inputs):
            return model.start(*inputs)

        def step(self, tokens, state):
            found, state = model.step(tokens, state)
            logits.append(found)
            return found, state

    torch.manual_seed(0)
    decoded = search(Listening(), torch.randint(19, (1, 5)), **MARKS, max_length=1)
    likely = logits[0][0].float().log_softmax(-1)
    torch.testing.assert_close(decoded.log_probability[0], likely[decoded.tokens[0, 0]])


@SEARCHES
def test_the_model_is_left_in_the_mode_that_it_was_in(search):
    model = translator(AttentionDecoder).train()
    model.encoder.eval()  # frozen, say
    before = [module.training for module in model.modules()]
    source = torch.randint(19, (3, 5))
    modes = []
    model.decoder.register_forward_hook(lambda module, *_: modes.append(module.training))
    first = search(model, source, **MARKS, max_length=7)
    assert modes
    assert not any(modes)
    assert [module.training for module in model.modules()] == before
    assert torch.equal(first.tokens, search(model.eval(), source, **MARKS, max_length=7).tokens)
    model.train()
    with pytest.raises(ValueError, match="source"):
        search(model, source + 19, **MARKS, max_length=7)
    assert all(module.training for module in model.modules())


@SEARCHES
def test_nothing_is_kept_for_gradients(search):
    model = translator(GRUDecoder)
    decoded = search(model, torch.randint(19, (3, 5)), **MARKS, max_length=7)
    assert not decoded.log_probability.requires_grad
    assert torch.is_grad_enabled()


@SEARCHES
def test_no_sentences_give_no_sentences(search):
    decoded = search(
        translator(AttentionDecoder), torch.zeros(0, 5, dtype=torch.int64), **MARKS, max_length=7
    )
    assert decoded.tokens.shape == (0, 0)
    assert decoded.lengths.shape == decoded.log_probability.shape == (0,)


@SEARCHES
def test_an_empty_source_is_translated_too(search):
    decoded = search(
        translator(AttentionDecoder), torch.zeros(2, 0, dtype=torch.int64), **MARKS, max_length=7
    )
    assert decoded.log_probability.isfinite().all()


# Sampling

ODDS = torch.tensor([0.4, 0.3, 0.15, 0.1, 0.05], dtype=torch.float64)  # of tokens 0 to 4


def shares(**options) -> Tensor:
    """Draw one token a sentence; give how often each of five came."""
    rows = 40_000
    logits = ODDS.log().expand(1, 5, 5) + 3  # a constant on all logits means nothing
    drawn = sample(
        Markov(logits),
        torch.zeros(rows, 1, dtype=torch.int64),
        **MARKS,
        max_length=1,
        generator=torch.Generator().manual_seed(5),
        **options,
    )
    return drawn.tokens[:, 0].bincount(minlength=5) / rows


@pytest.mark.parametrize(
    ("options", "odds"),
    [
        ({}, [0.4, 0.3, 0.15, 0.1, 0.05]),
        ({"top_k": 2}, [4 / 7, 3 / 7, 0, 0, 0]),
        ({"top_k": 97}, [0.4, 0.3, 0.15, 0.1, 0.05]),
        # 0.4 and 0.3 are 0.7 together, no less than 0.7 and less than 0.71
        ({"top_p": 0.699}, [4 / 7, 3 / 7, 0, 0, 0]),
        ({"top_p": 0.71}, [8 / 17, 6 / 17, 3 / 17, 0, 0]),
        ({"top_p": 0.001}, [1, 0, 0, 0, 0]),
        ({"top_p": 1.0}, [0.4, 0.3, 0.15, 0.1, 0.05]),
        # with half the temperature odds are squared: 16 : 9 : 2.25 : 1 : 0.25
        ({"temperature": 0.5}, [64 / 114, 36 / 114, 9 / 114, 4 / 114, 1 / 114]),
        # the share is that of the tokens that top_k left, after the temperature: 16 : 9 : 2.25
        ({"temperature": 0.5, "top_k": 3, "top_p": 0.6}, [16 / 25, 9 / 25, 0, 0, 0]),
    ],
    ids=str,
)
def test_tokens_are_drawn_by_their_odds(options, odds):
    odds = torch.tensor(odds)
    drawn = shares(**options)
    assert torch.equal(drawn > 0, odds > 0)
    # four deviations of a share of 40,000 draws
    assert ((drawn - odds).abs() <= 4 * (odds * (1 - odds) / 40_000).sqrt() + 1e-9).all()


def test_equals_of_the_last_that_may_be_drawn_may_be_drawn():
    logits = torch.tensor([3.0, 1.0, 1.0, 0.0]).log().expand(1, 4, 4)
    drawn = sample(
        Markov(logits), torch.zeros(999, 1).long(), **MARKS, max_length=1, top_k=2
    ).tokens
    assert set(drawn.flatten().tolist()) == {0, 1, 2}


def test_the_generator_decides_and_the_callers_chance_is_left_alone():
    model = Markov(tables(5, 7))

    def drawn(seed):
        generator = torch.Generator().manual_seed(seed)
        return lists(sample(model, kinds(5), **MARKS, max_length=11, generator=generator))

    before = torch.get_rng_state()
    assert drawn(3) == drawn(3) != drawn(4)
    assert torch.equal(torch.get_rng_state(), before)


@given(st.integers(0, 10**6))
def test_a_draw_has_the_models_own_probability(seed):
    model = Remembering(tables(5, 5, seed))
    drawn = sample(model, kinds(5), **MARKS, max_length=6, temperature=2.0, top_p=0.9)
    for kind, tokens in enumerate(lists(drawn)):
        assert EOS not in tokens[:-1]
        exact = log_probability(model, kind, tokens)
        assert drawn.log_probability[kind].item() == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"temperature": 0.0}, ValueError, ["temperature", "positive", "0.0"]),
        ({"temperature": math.nan}, ValueError, ["temperature", "nan"]),
        ({"temperature": "1"}, TypeError, ["temperature", "number", "str"]),
        ({"top_k": 0}, ValueError, ["top_k", "positive", "0"]),
        ({"top_k": 2.0}, TypeError, ["top_k", "integer", "float"]),
        ({"top_p": 0.0}, ValueError, ["top_p", "above 0", "0.0"]),
        ({"top_p": 1.5}, ValueError, ["top_p", "at most 1", "1.5"]),
        ({"top_p": True}, TypeError, ["top_p", "number", "bool"]),
    ],
)
def test_draws_that_make_no_sense_are_refused(own_errors, changes, error, words):
    with refused(error, *words):
        sample(ends_after(2), kinds(1), **MARKS, max_length=5, **changes)


# Bad input


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"max_length": 0}, ValueError, ["max_length", "positive", "0"]),
        ({"max_length": 2.0}, TypeError, ["max_length", "integer", "float"]),
        ({"eos": -1}, ValueError, ["eos", "negative", "-1"]),
        ({"bos": "1"}, TypeError, ["bos", "integer", "str"]),
        ({"pad": True}, TypeError, ["pad", "integer", "bool"]),
        ({"source": [[1]]}, TypeError, ["source", "tensor", "list"]),
        ({"source": torch.ones(2, 3)}, TypeError, ["source", "int64", "float32"]),
        ({"source": torch.ones(3).long()}, ValueError, ["source", "(batch, source)", "(3,)"]),
        ({"model": nn.Linear(2, 3)}, TypeError, ["model", "start", "Linear"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
@SEARCHES
def test_what_cannot_be_searched_is_refused(own_errors, search, changes, error, words):
    options = {"model": ends_after(2), "source": kinds(1), **MARKS, "max_length": 5} | changes
    with refused(error, *words):
        search(options.pop("model"), options.pop("source"), **options)


class Wrong:
    """A model whose logits are not what a search needs."""

    def __init__(self, logits):
        self.logits = logits

    def start(self, source, source_mask=None):
        return None

    def step(self, tokens, state):
        return self.logits(len(tokens)), state


@SEARCHES
def test_logits_of_another_shape_are_refused(search):
    for logits in (lambda rows: torch.zeros(rows, 1, 7), lambda rows: torch.zeros(rows + 1, 7)):
        with refused(ValueError, "model", "(3, vocabulary)", str(tuple(logits(3).shape))):
            search(Wrong(logits), kinds(3), **MARKS, max_length=5)


@SEARCHES
@pytest.mark.parametrize("since", [1, 2, 4])  # also after sentences that have ended
@pytest.mark.parametrize(
    ("bad", "where", "words"),
    [
        (math.nan, [6], "nan"),
        (math.nan, slice(None), "nan"),
        (math.inf, [6], "is inf"),
        (-math.inf, slice(None), "-inf"),
    ],
    ids=["a NaN", "NaN alone", "infinite", "nothing may come"],
)
def test_logits_that_are_not_finite_are_told(search, since, bad, where, words):
    # Kind: what is not finite must show.
    steps = 0

    def logits(rows):
        nonlocal steps
        steps += 1
        likely = torch.tensor([0.0, 0.0, 4.0, 5.0, 0.0, 0.0, 0.0])  # 2 is the end
        if steps >= since:
            likely[where] = bad
        return likely.expand(rows, -1)

    with refused(ValueError, "model", "Wrong", words):
        search(Wrong(logits), kinds(3), **MARKS, max_length=5)


@SEARCHES
def test_a_token_that_may_not_come_never_comes(search):
    table = tables(5, 7)
    table[:, :, [3, 5]] = -torch.inf
    decoded = search(Markov(table), kinds(5), **MARKS, max_length=11)
    assert not {3, 5} & {token for row in lists(decoded) for token in row}
    assert decoded.log_probability.isfinite().all()


@pytest.mark.parametrize("after", [math.nan, math.inf, -math.inf])
def test_what_follows_no_beginning_does_not_matter(after):
    # A beam of three has places without a beginning where only two tokens may come, and behind the
    # end mark.
    table = tables(5, 7)
    table[:, :, [0, 1, 4, 5, 6]] = -torch.inf
    wanted = beam_search(Markov(table), kinds(5), **MARKS, max_length=4, beam_size=3)
    table[:, [0, EOS, 4, 5, 6]] = after
    decoded = beam_search(Markov(table), kinds(5), **MARKS, max_length=4, beam_size=3)
    assert lists(decoded) == lists(wanted)
    assert torch.equal(decoded.log_probability, wanted.log_probability)


@SEARCHES
@pytest.mark.usefixtures("own_errors")
def test_marks_and_lengths_may_be_numpys(search):
    marks = {name: np.int64(mark) for name, mark in MARKS.items()}
    assert len(search(ends_after(2), kinds(1), **marks, max_length=np.int64(5)).tokens) == 1


@pytest.mark.parametrize("top_p", [1e-30, 1e-46, 1e-300])
def test_a_share_may_be_as_small_as_a_float(top_p):
    model = Markov(tables(1, 7).float())
    drawn = sample(model, kinds(1), **MARKS, max_length=9, top_p=top_p)
    assert torch.equal(drawn.tokens, greedy(model, kinds(1), **MARKS, max_length=9).tokens)


@pytest.mark.parametrize("temperature", [1e-45, 1e-39, 1e39, 1e300])
def test_a_temperature_may_be_as_extreme_as_a_float(temperature):
    table = tables(1, 7).float()
    table[:, :, 5] = -torch.inf  # what a model can never say
    model = Markov(table)
    drawn = sample(model, kinds(1), **MARKS, max_length=9, temperature=temperature)
    assert 5 not in drawn.tokens
    if temperature < 1:
        assert torch.equal(drawn.tokens, greedy(model, kinds(1), **MARKS, max_length=9).tokens)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"beam_size": 0}, ValueError, ["beam_size", "positive", "0"]),
        ({"beam_size": 2.5}, TypeError, ["beam_size", "integer", "float"]),
        ({"length_penalty": -0.5}, ValueError, ["length_penalty", "0 or more", "-0.5"]),
        ({"length_penalty": math.nan}, ValueError, ["length_penalty", "nan"]),
        ({"length_penalty": math.inf}, ValueError, ["length_penalty", "finite", "inf"]),
        ({"length_penalty": "1"}, TypeError, ["length_penalty", "number", "str"]),
    ],
)
def test_beams_that_make_no_sense_are_refused(own_errors, changes, error, words):
    with refused(error, *words):
        beam_search(ends_after(2), kinds(1), **MARKS, max_length=5, **changes)


def test_a_vocabulary_smaller_than_the_beam_is_no_trouble():
    model = Markov(tables(3, 3))
    few = beam_search(model, kinds(3), **MARKS, max_length=5, beam_size=3**5)
    assert max(model.rows) > 3 * 3
    assert few.log_probability.isfinite().all()
