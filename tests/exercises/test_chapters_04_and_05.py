"""The exercises of chapters 04 and 05: their solutions beside other implementations, and answers as
readers write them, none taken from the registry."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from attncourse import AdditiveScore, attend, masked_softmax, padding_mask
from attncourse.data.batches import Batch
from attncourse.exercises import EXERCISES, check
from attncourse.recurrent import gru_step
from attncourse.training import sequence_loss

NAMES = ["teacher_forcing", "sequence_loss", "gru_step", "attention_step", "clipped_precision"]


def _solve(name, *arguments):
    return EXERCISES[name].solution(*arguments)


def _normal(*shape):
    return torch.randn(shape, dtype=torch.float64)


# -- the solutions ---------------------------------------------------------------------------------


def test_a_batch_is_read_and_asked_for_as_the_package_does():
    batch = Batch.of([([4], [5, 6, 7]), ([4], [8]), ([4], [])])
    read, labels, mask = _solve("teacher_forcing", batch.target)
    assert torch.equal(read, batch.decoder_input)
    assert torch.equal(labels, batch.labels)
    assert torch.equal(mask, padding_mask(batch.target_lengths - 1, labels.shape[1]))
    assert read[0].tolist() == [1, 5, 6, 7]
    assert labels[0].tolist() == [5, 6, 7, 2]
    assert mask.sum(1).tolist() == [4, 2, 1]  # the words and the end mark


def test_the_loss_agrees_with_the_packages():
    logits, labels = _normal(3, 7, 5), torch.randint(5, (3, 7))
    mask = padding_mask(torch.tensor([7, 1, 4]))
    got = _solve("sequence_loss", logits, labels, mask)
    torch.testing.assert_close(got, sequence_loss(logits, labels, mask))


def test_the_loss_of_knowing_nothing_is_the_log_of_the_vocabulary():
    mask = torch.tensor([[True, True], [True, False]])
    got = _solve("sequence_loss", torch.zeros(2, 2, 8), torch.zeros(2, 2, dtype=torch.int64), mask)
    assert got.item() == pytest.approx(math.log(8))


def test_a_step_agrees_with_pytorchs_cell_and_the_packages():
    cell = nn.GRUCell(5, 3, bias=False).double()
    word, state = _normal(2, 5), _normal(2, 3)
    got = _solve("gru_step", word, state, cell.weight_ih, cell.weight_hh)
    torch.testing.assert_close(got, cell(word, state))
    read, recalled = word @ cell.weight_ih.mT, state @ cell.weight_hh.mT
    torch.testing.assert_close(got, gru_step(read, recalled, state))


def test_a_step_of_attention_agrees_with_the_packages():
    score = AdditiveScore(query_dim=2, key_dim=7, hidden_dim=11).double()
    weights = (score.query_projection.weight, score.key_projection.weight, score.output.weight[0])
    state, memory = _normal(3, 2), _normal(3, 5, 7)
    mask = padding_mask(torch.tensor([5, 1, 3]))
    context, looked = _solve("attention_step", state, memory, mask, *weights)
    want = attend(state[:, None], memory, memory, mask[:, None], score=score)[:, 0]
    torch.testing.assert_close(context, want)
    torch.testing.assert_close(
        looked, masked_softmax(score(state[:, None], memory), mask[:, None])[:, 0]
    )
    assert (looked[~mask] == 0).all()


def test_seven_times_the_has_two_of_seven_right():
    # Papineni et al. 2002, section 2.1
    reference = ["the", "cat", "is", "on", "the", "mat"]
    assert _solve("clipped_precision", ["the"] * 7, reference, 1) == (2, 7)
    assert _solve("clipped_precision", ["the"] * 7, reference, 2) == (0, 6)
    assert _solve("clipped_precision", reference, reference, 4) == (3, 3)
    assert _solve("clipped_precision", ["the"], reference, 2) == (0, 0)


def test_precisions_agree_with_those_of_sacrebleu():
    pytest.importorskip("sacrebleu")
    from sacrebleu.metrics import BLEU

    hypothesis = "a cat sat on a mat and a cat sat on the mat".split()  # noqa: SIM905
    reference = "the cat sat on the mat and a cat sat on a bed".split()  # noqa: SIM905
    result = BLEU(tokenize="none").corpus_score([" ".join(hypothesis)], [[" ".join(reference)]])
    for n in range(1, 5):
        want = result.counts[n - 1], result.totals[n - 1]
        assert _solve("clipped_precision", hypothesis, reference, n) == want


# -- the cases -------------------------------------------------------------------------------------


def test_drawn_targets_are_marked_and_some_are_padded():
    exercise = EXERCISES["teacher_forcing"]
    for seed, case in enumerate(exercise.cases):
        (target,) = exercise.arguments(case, seed)
        assert (target[:, 0] == 1).all()
        assert ((target == 2).sum(1) == 1).all()
        after = (target == 2).cumsum(1).bool() & (target != 2)
        assert (target[after] == 0).all()
        assert (target[~after][:, None] != 0).all()
        assert not after[0].any()
    assert (exercise.arguments(exercise.cases[0], 0)[0] == 0).any()


def test_labels_hold_something_at_padding_in_one_case_only():
    exercise, filled = EXERCISES["sequence_loss"], []
    for seed, case in enumerate(exercise.cases):
        _, labels, mask = exercise.arguments(case, seed)
        assert mask[0].all()
        assert (labels[mask] > 0).all()
        if labels[~mask].any():
            filled.append(case.label)
    assert filled == ["something else than 0 at padding"]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_that_computes_in_float64_changes_nothing(name):
    before = check(name, EXERCISES[name].solution).message
    torch.set_default_dtype(torch.float64)
    try:
        assert check(name, EXERCISES[name].solution).message == before
    finally:
        torch.set_default_dtype(torch.float32)


# -- right answers in other words ------------------------------------------------------------------


def forcing_by_lengths(target):
    lengths = (target != 0).sum(dim=1)
    place = torch.arange(target.size(1) - 1)
    return target[:, 0:-1], target.roll(-1, dims=1)[:, :-1], place < lengths[:, None] - 1


def loss_by_torch(logits, labels, mask):
    return F.cross_entropy(logits[mask], labels[mask])


def gru_in_one_matrix(word, state, word_weight, state_weight):
    h = state.shape[-1]
    x, u = F.linear(word, word_weight), F.linear(state, state_weight)
    r = (x[:, :h] + u[:, :h]).sigmoid()
    z = (x[:, h : 2 * h] + u[:, h : 2 * h]).sigmoid()
    n = torch.tanh(x[:, 2 * h :] + r * u[:, 2 * h :])
    return n + z * (state - n)


def attention_with_einsum(state, memory, mask, query_weight, key_weight, output_weight):
    hidden = torch.tanh(
        F.linear(memory, key_weight) + F.linear(state, query_weight).unsqueeze(dim=1)
    )
    scores = torch.einsum("bsh,h->bs", hidden, output_weight)
    weights = F.softmax(torch.where(mask, scores, -1e9), dim=1)
    return torch.einsum("bs,bsd->bd", weights, memory), weights


def precision_with_counters(hypothesis, reference, n):
    def grams(words):
        return Counter(zip(*(words[i:] for i in range(n)), strict=False))

    ours = grams(hypothesis)
    return (ours & grams(reference)).total(), ours.total()


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("teacher_forcing", forcing_by_lengths),
        ("sequence_loss", loss_by_torch),
        ("gru_step", gru_in_one_matrix),
        ("attention_step", attention_with_einsum),
        ("clipped_precision", precision_with_counters),
    ],
)
def test_a_right_answer_in_other_words_passes(name, right):
    verdict = check(name, right)
    assert verdict.passed, verdict


# -- wrong answers ---------------------------------------------------------------------------------


def forcing_unshifted(target):
    return target, target.clone(), target.ne(0)


def forcing_copied(target):
    read = target[:, : target.shape[1] - 1]
    return read, read.clone(), read.gt(0)


def forcing_backwards(target):
    return target[:, 1:], target[:, :-1], target[:, :-1].ne(0)


def forcing_all_real(target):
    labels = target[:, 1:]
    return target[:, :-1], labels, labels.ge(0)


def forcing_without_end(target):
    labels = target[:, 1:]
    return target[:, :-1], labels, labels.gt(2)


def forcing_early_mask(target):
    mask = target.ne(0)
    return target[:, :-1], target[:, 1:], mask[:, :-1]


def loss_of_all(logits, labels, mask):
    return F.cross_entropy(logits.reshape(-1, logits.size(-1)), labels.reshape(-1))


def loss_of_sentences(logits, labels, mask):
    means = [F.cross_entropy(a[m], b[m]) for a, b, m in zip(logits, labels, mask, strict=True)]
    return torch.stack(means).mean()


def loss_shrunk(logits, labels, mask):
    each = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    return each.masked_fill(~mask, 0).mean()


def loss_over_time(logits, labels, mask):
    each = -F.log_softmax(logits, dim=1).gather(2, labels[..., None])[..., 0]
    return each[mask].mean()


def loss_in_bits(logits, labels, mask):
    return F.cross_entropy(logits[mask], labels[mask]) * math.log2(math.e)


def loss_summed(logits, labels, mask):
    return F.cross_entropy(logits[mask], labels[mask], reduction="sum")


def loss_softmax_twice(logits, labels, mask):
    return F.cross_entropy(F.softmax(logits[mask], dim=-1), labels[mask])


def loss_ignoring_zero(logits, labels, mask):
    return F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=0)


def loss_untransposed(logits, labels, mask):
    each = F.cross_entropy(logits, labels, reduction="none")
    return (each * mask).sum() / mask.sum()


def loss_log_of_softmax(logits, labels, mask):
    right = F.softmax(logits, dim=-1).gather(2, labels[..., None])[..., 0]
    return -right.log()[mask].mean()


def _gates(word, state, word_weight, state_weight):
    x, u = F.linear(word, word_weight), F.linear(state, state_weight)
    (a, b, c), (d, e, f) = x.split(state.size(-1), -1), u.split(state.size(-1), -1)
    return (a + d).sigmoid(), (b + e).sigmoid(), c, f


def gru_turned(word, state, *weights):
    r, z, x, u = _gates(word, state, *weights)
    return (1 - z) * state + z * (x + r * u).tanh()


def gru_of_the_papers(word, state, word_weight, state_weight):
    r, z, x, _ = _gates(word, state, word_weight, state_weight)
    n = (x + F.linear(r * state, state_weight[2 * state.size(-1) :])).tanh()
    return n + z * (state - n)


def gru_sigmoid(word, state, *weights):
    r, z, x, u = _gates(word, state, *weights)
    return (1 - z) * (x + r * u).sigmoid() + z * state


def gru_gates_mixed_up(word, state, *weights):
    z, r, x, u = _gates(word, state, *weights)
    return (1 - z) * (x + r * u).tanh() + z * state


def _attention(weigh, score=lambda hidden, vector: hidden.tanh() @ vector):
    def answer(state, memory, mask, query_weight, key_weight, output_weight):
        hidden = F.linear(state, query_weight)[:, None] + F.linear(memory, key_weight)
        weights = weigh(score(hidden, output_weight), mask)
        return torch.bmm(weights[:, None], memory)[:, 0], weights

    return answer


attention_without_mask = _attention(lambda scores, mask: F.softmax(scores, 1))
attention_masked_late = _attention(lambda s, mask: F.softmax(s, 1).masked_fill(~mask, 0))
attention_inverted = _attention(lambda s, mask: F.softmax(s.masked_fill(mask, -torch.inf), 1))
attention_over_the_batch = _attention(lambda s, mask: F.softmax(torch.where(mask, s, -1e9), 0))
attention_linear = _attention(
    lambda s, mask: F.softmax(torch.where(mask, s, -torch.inf), 1), torch.matmul
)


def attention_by_dots(state, memory, mask, query_weight, key_weight, output_weight):
    query, key = F.linear(state, query_weight), F.linear(memory, key_weight)
    scores = torch.einsum("bh,bsh->bs", query, key)
    weights = scores.masked_fill(mask.logical_not(), -1e9).softmax(1)
    return torch.einsum("bs,bsd->bd", weights, memory), weights


def attention_of_mixed_axes(state, memory, mask, query_weight, key_weight, output_weight):
    hidden = torch.tanh(F.linear(state, query_weight) + F.linear(memory, key_weight))
    weights = (hidden @ output_weight).masked_fill(~mask, -torch.inf).softmax(1)
    return torch.einsum("bs,bsd->bd", weights, memory), weights


def attention_turned_round(*arguments):
    return tuple(reversed(attention_with_einsum(*arguments)))


def precision_not_clipped(hypothesis, reference, n):
    theirs = {" ".join(reference[i : i + n]) for i in range(len(reference) - n + 1)}
    ours = [" ".join(hypothesis[i : i + n]) for i in range(len(hypothesis) - n + 1)]
    return len([gram for gram in ours if gram in theirs]), len(ours)


def precision_of_sets(hypothesis, reference, n):
    ours = {tuple(hypothesis[i : i + n]) for i in range(len(hypothesis) - n + 1)}
    theirs = {tuple(reference[i : i + n]) for i in range(len(reference) - n + 1)}
    return len(ours & theirs), len(ours)


def precision_that_is_recall(hypothesis, reference, n):
    matches, _ = precision_with_counters(hypothesis, reference, n)
    return matches, max(0, len(reference) - n + 1)


def precision_of_words(hypothesis, reference, n):
    return (Counter(hypothesis) & Counter(reference)).total(), len(hypothesis)


def precision_below_zero(hypothesis, reference, n):
    matches, _ = precision_with_counters(hypothesis, reference, n)
    return matches, len(hypothesis) + 1 - n


NAMED = [
    ("teacher_forcing", forcing_unshifted, "nothing is shifted"),
    ("teacher_forcing", forcing_copied, "nothing is shifted"),
    ("teacher_forcing", forcing_backwards, "you shift the wrong way"),
    ("teacher_forcing", forcing_all_real, "padding counts as real"),
    ("teacher_forcing", forcing_without_end, "the end mark is not asked for"),
    ("teacher_forcing", forcing_early_mask, "your mask is off by one"),
    ("sequence_loss", loss_of_all, "padding is counted"),
    ("sequence_loss", loss_of_sentences, "the mean of the sentences' means"),
    ("sequence_loss", loss_shrunk, "you divide by batch times length"),
    ("sequence_loss", loss_over_time, "your softmax runs over another axis"),
    ("sequence_loss", loss_untransposed, "your softmax runs over another axis"),
    ("sequence_loss", loss_in_bits, "your loss is in bits"),
    ("sequence_loss", loss_summed, "the sum is not divided"),
    ("sequence_loss", loss_softmax_twice, "through softmax twice"),
    ("sequence_loss", loss_ignoring_zero, "you leave out the labels that are 0"),
    ("sequence_loss", loss_log_of_softmax, "your loss leaves the logs"),
    ("gru_step", gru_turned, "the update gate is turned round"),
    ("gru_step", gru_of_the_papers, "the reset gate multiplies the state before its matrix"),
    ("gru_step", gru_sigmoid, "the proposal goes through a sigmoid"),
    ("gru_step", gru_gates_mixed_up, "the thirds are mixed up"),
    ("attention_step", attention_without_mask, "padding is read"),
    ("attention_step", attention_masked_late, "the mask comes after the softmax"),
    ("attention_step", attention_inverted, "your mask is the other way round"),
    ("attention_step", attention_over_the_batch, "your softmax runs over the batch"),
    ("attention_step", attention_linear, "the tanh is missing"),
    ("attention_step", attention_by_dots, "your score is a dot product"),
    ("attention_step", attention_of_mixed_axes, "the state has no axis for the tokens"),
    ("attention_step", attention_turned_round, "the two stand the other way round"),
    ("clipped_precision", precision_not_clipped, "the matches are not clipped"),
    ("clipped_precision", precision_of_sets, "you count kinds of n-grams"),
    ("clipped_precision", precision_that_is_recall, "That is recall"),
    ("clipped_precision", precision_of_words, "order is ignored"),
    ("clipped_precision", precision_below_zero, "has a negative total"),
]


@pytest.mark.parametrize(("name", "wrong", "says"), NAMED, ids=[f"{n}-{s}" for n, _, s in NAMED])
def test_a_wrong_answer_gets_its_right_name(name, wrong, says):
    verdict = check(name, wrong)
    assert verdict.kind == "misconception", verdict
    assert says in verdict.message.split("\nA small case")[0]


UNKNOWN = [
    ("teacher_forcing", lambda t: (t[:, :-1], t[:, 1:], t[:, 1:] % 2 == 0)),
    ("sequence_loss", lambda x, y, m: F.cross_entropy(x[m], y[m], label_smoothing=0.1)),
    ("gru_step", lambda w, h, a, b: gru_in_one_matrix(w, h, a, b) * 0.9),
    (
        "attention_step",
        _attention(
            lambda s, mask: masked_softmax(s, mask),
            lambda hidden, vector: hidden.sigmoid() @ vector,
        ),
    ),
    ("clipped_precision", lambda h, r, n: (precision_with_counters(h, r, n)[0], len(h) + 2)),
]


@pytest.mark.parametrize(("name", "wrong"), UNKNOWN, ids=[name for name, _ in UNKNOWN])
def test_an_unknown_mistake_gets_no_name_but_a_counterexample(name, wrong):
    verdict = check(name, wrong)
    assert verdict.kind == "wrong", verdict
    assert verdict.message.startswith("Not yet: it first fails with ")
    assert "\n  got " in verdict.message
    assert "\n  wanted " in verdict.message
