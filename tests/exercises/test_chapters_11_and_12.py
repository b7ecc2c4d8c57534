"""The exercises of chapters 11 and 12: their solutions beside other implementations, and answers as
readers write them, none taken from the registry."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from attncourse import KeyValueCache, MultiHeadAttention, attend
from attncourse.decoding import beam_search
from attncourse.exercises import EXERCISES, broken, check
from attncourse.training import inverse_root_schedule, sequence_loss
from attncourse.training.projected import projected_loss

NAMES = [name for name, exercise in EXERCISES.items() if exercise.chapter in ("11", "12")]


def _solve(name, *arguments):
    return EXERCISES[name].solution(*arguments)


def _normal(*shape):
    return torch.randn(shape, dtype=torch.float64)


# -- the solutions ---------------------------------------------------------------------------------


def test_there_are_seven_exercises_in_these_chapters():
    assert len(NAMES) == 7


def test_the_papers_base_model_peaks_at_seven_ten_thousandths():
    step = torch.tensor([1, 1000, 4000, 16_000])
    rate = _solve("warmup_schedule", step, 512, 4000)
    peak = (512 * 4000) ** -0.5
    assert peak == pytest.approx(0.0007, abs=2e-6)
    assert rate.tolist() == pytest.approx([peak / 4000, peak / 4, peak, peak / 2], rel=1e-6)


def test_the_papers_rate_is_its_peak_times_the_packages_schedule():
    step, factor = torch.arange(1, 30), inverse_root_schedule(warmup=7)
    want = [(11 * 7) ** -0.5 * factor(n) for n in step.tolist()]
    assert _solve("warmup_schedule", step, 11, 7).tolist() == pytest.approx(want)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_the_smoothed_loss_agrees_with_pytorchs_and_the_packages(smoothing):
    hidden, weight, labels = _normal(7, 3), _normal(5, 3), torch.randint(5, (7,))
    logits, mask = hidden @ weight.mT, torch.ones(1, 7, dtype=torch.bool)
    got = _solve("smoothed_loss", logits, labels, smoothing)
    torch.testing.assert_close(got, F.cross_entropy(logits, labels, label_smoothing=smoothing))
    torch.testing.assert_close(got, sequence_loss(logits[None], labels[None], mask, smoothing))
    torch.testing.assert_close(got, projected_loss(hidden, weight, labels, smoothing) / 7)


def test_the_smoothed_loss_of_two_tokens_by_hand():
    # probabilities 3/4 and 1/4: the label, the first, is asked for with 0.9, the other with 0.1
    logits = torch.tensor([[3.0, 1.0]], dtype=torch.float64).log()
    got = _solve("smoothed_loss", logits, torch.tensor([0]), 0.2)
    assert got.item() == pytest.approx(-0.9 * math.log(3 / 4) - 0.1 * math.log(1 / 4))


def test_the_gradient_of_the_parts_is_that_of_the_whole():
    weight, inputs, labels = _normal(5, 3).requires_grad_(), _normal(7, 3), torch.randint(5, (7,))
    F.cross_entropy(inputs @ weight.mT, labels).backward()
    for sizes in ((7,), (4, 2, 1), (1,) * 7):
        got = _solve("accumulated_gradient", weight, inputs, labels, sizes)
        torch.testing.assert_close(got, weight.grad)


def test_training_in_parts_is_training_on_the_whole():
    weight, inputs, labels = _normal(5, 2), _normal(6, 3, 2), torch.randint(5, (6, 3))
    parts = _solve("stepped_training", weight, inputs, labels, 4, 3)
    large = inputs.reshape(2, 9, 2), labels.reshape(2, 9)
    torch.testing.assert_close(parts, _solve("stepped_training", weight, *large, 4, 1))


def test_step_by_step_is_causal_attention_at_once():
    layer = MultiHeadAttention(6, num_heads=1, bias=False).double()
    nn.init.eye_(layer.output_projection.weight)
    projections = layer.query_projection, layer.key_projection, layer.value_projection
    weights = [projection.weight for projection in projections]
    x, cache = _normal(2, 7, 6), KeyValueCache()
    key = value = _normal(2, 0, 6)
    outputs = []
    for start, end in ((0, 1), (1, 2), (2, 5), (5, 7)):
        output, key, value = _solve("cached_step", x[:, start:end], key, value, *weights)
        torch.testing.assert_close(output, layer(x[:, start:end], causal=True, cache=cache))
        torch.testing.assert_close(key, cache.key[:, 0])
        torch.testing.assert_close(value, cache.value[:, 0])
        outputs.append(output)
    torch.testing.assert_close(torch.cat(outputs, dim=1), layer(x, causal=True))


def test_a_step_of_beam_search_by_hand():
    # The unlikelier beginning has the likelier end: 0.6 * 0.5, 0.4 * 0.9, 0.6 * 0.3
    log_probabilities = torch.tensor([[0.5, 0.3, 0.2], [0.06, 0.04, 0.9]]).log()
    totals = torch.tensor([0.6, 0.4]).log()
    best, parents, tokens = _solve("beam_step", log_probabilities, totals, 3)
    assert best.exp().tolist() == pytest.approx([0.36, 0.3, 0.18])
    assert parents.tolist() == [1, 0, 0]
    assert tokens.tolist() == [2, 0, 1]


class Chain:
    """A model whose next token depends on the last one alone."""

    training = False

    def __init__(self, table):
        self.table = table  # (last, vocabulary), logits

    def start(self, source, source_mask):
        return source[:, :1]

    def step(self, tokens, state):
        return self.table[tokens], state

    def eval(self):
        return self

    def train(self, mode=True):
        return self


def test_step_upon_step_is_the_packages_beam_search():
    # No end mark can be written, so the search runs to its length and takes the best.
    table = _normal(7, 7)
    table[:, 2] = -torch.inf
    log_probability = table.log_softmax(-1)
    totals, sentences = torch.zeros(1).double(), torch.tensor([[1]])
    for _ in range(5):
        scores = log_probability[sentences[:, -1]]
        totals, parents, tokens = _solve("beam_step", scores, totals, 3)
        sentences = torch.cat([sentences[parents], tokens[:, None]], dim=1)
    source = torch.ones(1, 1, dtype=torch.int64)
    marks = {"bos": 1, "eos": 2, "pad": 0, "max_length": 5, "beam_size": 3}
    found = beam_search(Chain(table), source, **marks)
    assert found.tokens[0].tolist() == sentences[0, 1:].tolist()
    assert found.log_probability.item() == pytest.approx(totals[0].item())


def test_decoding_in_pieces_is_decoding_at_once():
    x, codes, memory = _normal(2, 7, 5), _normal(11, 5), _normal(2, 3, 5)
    empty = _normal(2, 0, 5)
    whole, *_ = _solve("stepping_decoder", x, codes, empty, memory)
    outputs, past, kept = [], empty, memory
    for start, end in ((0, 1), (1, 2), (2, 5), (5, 7)):
        output, past, kept = _solve("stepping_decoder", x[:, start:end], codes, past, kept)
        outputs.append(output)
    torch.testing.assert_close(torch.cat(outputs, dim=1), whole)
    torch.testing.assert_close(past, x + codes[:7])
    assert torch.equal(kept, memory)


# -- the cases -------------------------------------------------------------------------------------


def test_no_two_continuations_are_equally_likely():
    exercise = EXERCISES["beam_step"]
    for number, case in enumerate(exercise.cases):
        for seed, sizes in ((number, {}), *((0, sizes) for sizes in exercise.smaller(case))):
            log_probabilities, totals, beam_size = exercise.arguments(case, seed, sizes)
            scores = (totals[:, None] + log_probabilities).flatten().sort(descending=True).values
            kept = scores[: beam_size + 1]  # the best that is left out counts as well
            assert len(kept) < 2 or (kept[:-1] - kept[1:]).min() > 1e-3
            if log_probabilities.is_floating_point():
                torch.testing.assert_close(log_probabilities.exp().sum(-1), torch.ones_like(totals))


def test_an_ended_hypothesis_is_never_among_the_best():
    exercise = EXERCISES["beam_step"]
    (case,) = (case for case in exercise.cases if case.mask == "ended")
    for seed in range(50):
        totals, *_ = exercise.solution(*exercise.arguments(case, seed))
        assert totals.isfinite().all()


def test_the_batches_of_an_update_hold_all_tokens_once():
    exercise = EXERCISES["accumulated_gradient"]
    unequal = 0
    for case in exercise.cases:
        for lengths in ({}, *exercise.smaller(case)):
            _, inputs, labels, sizes = exercise.arguments(case, 0, lengths)
            assert sum(sizes) == len(inputs) == len(labels)
            assert min(sizes) > 0
            unequal += len(set(sizes)) > 1
    assert unequal


def test_every_update_has_all_its_batches():
    exercise = EXERCISES["stepped_training"]
    for case in exercise.cases:
        _, inputs, _, _, accumulate = exercise.arguments(case, 0)
        assert len(inputs) % accumulate == 0


@pytest.mark.parametrize("name", ["cached_step", "stepping_decoder"])
def test_some_begin_with_nothing_cached(name):
    exercise = EXERCISES[name]
    assert any(case.sizes.get("past") == 0 for case in exercise.cases)
    assert {case.sizes.get("new", 3) for case in exercise.cases} == {1, 3}
    assert {torch.float32, torch.float64, torch.bfloat16} <= {c.dtype for c in exercise.cases}


@pytest.mark.parametrize("name", [name for name in NAMES if name != "warmup_schedule"])
def test_the_order_in_memory_and_the_precision_vary(name):
    cases = EXERCISES[name].cases
    assert any(case.strided for case in cases)
    assert {torch.float32, torch.float64} <= {case.dtype for case in cases}


# -- the check -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_that_computes_in_float64_changes_nothing(name):
    before = check(name, EXERCISES[name].solution)
    assert before.passed, before
    torch.set_default_dtype(torch.float64)
    try:
        assert check(name, EXERCISES[name].solution).message == before.message
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_search_needs_no_gradient_and_is_promised_none():
    verdict = check("beam_step", torch.no_grad()(beam_by_sorting))
    assert verdict.passed, verdict
    assert "gradients" not in verdict.message


def test_a_cache_that_is_changed_in_place_is_noticed():
    def shrunk(x, past_key, past_value, *weights):
        past_key /= math.sqrt(past_key.shape[-1])  # else the scores would have to be divided
        return _solve("cached_step", x, past_key, past_value, *weights)

    verdict = check("cached_step", shrunk)
    assert verdict.kind == "contract"
    assert "your function changes its argument past_key" in verdict.message


def test_weights_that_are_stepped_in_place_are_noticed():
    def stepped(weight, inputs, labels, warmup, accumulate):
        parameter = nn.Parameter(weight)  # shares its memory with what was given
        optimiser = torch.optim.SGD([parameter], lr=1.0)
        F.cross_entropy(inputs[0] @ parameter.mT, labels[0]).backward()
        optimiser.step()
        return parameter.detach()

    verdict = check("stepped_training", stepped)
    assert verdict.kind == "contract"
    assert "your function changes its argument weight" in verdict.message


def test_a_cached_step_that_cannot_begin_is_told_where():
    def full(x, past_key, *given):
        past_key[0, 0]  # nothing is there at first
        return _solve("cached_step", x, past_key, *given)

    verdict = check("cached_step", full)
    assert verdict.kind == "raised"
    assert "with the first token, when nothing is cached" in " ".join(verdict.message.split())
    assert "torch.cat takes that as it is" in " ".join(verdict.message.split())


@pytest.mark.parametrize(
    ("name", "function", "says"),
    [
        ("beam_step", lambda scores, totals, k: totals, "wanted 3: return totals, parents, tokens"),
        ("cached_step", lambda *given: given[:2], "wanted 3: return output, key, value"),
        ("stepping_decoder", lambda *given: given[0], "wanted 3: return output, past, memory"),
    ],
)
def test_what_is_missing_among_the_results_is_told(name, function, says):
    verdict = check(name, function)
    assert verdict.kind == "contract"
    assert says in verdict.message


# -- right answers in other words ------------------------------------------------------------------


def schedule_by_where(step, embed_dim, warmup):
    rate = torch.where(step < warmup, step / warmup / math.sqrt(warmup), step.rsqrt())
    return rate / math.sqrt(embed_dim)


def schedule_by_the_package(step, embed_dim, warmup):
    factor, peak = inverse_root_schedule(warmup), (embed_dim * warmup) ** -0.5
    return torch.tensor([peak * factor(n) for n in step.tolist()])


def smoothed_by_torch(logits, labels, smoothing):
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def smoothed_by_target(logits, labels, smoothing):
    target = torch.full_like(logits, smoothing / logits.size(-1))
    target[torch.arange(len(labels)), labels] += 1 - smoothing
    return -(target * F.log_softmax(logits, dim=-1)).sum() / len(labels)


def accumulated_by_sums(weight, inputs, labels, sizes):
    weight = weight.clone().detach().requires_grad_(True)
    start = 0
    for size in sizes:
        end = start + size
        logits = F.linear(inputs[start:end], weight)
        F.cross_entropy(logits, labels[start:end], reduction="sum").backward()
        start = end
    return weight.grad / sum(sizes)


def accumulated_by_hand(weight, inputs, labels, sizes):
    error = F.softmax(inputs @ weight.T, dim=-1) - F.one_hot(labels, len(weight))
    return error.T @ inputs / len(labels)


def train_by_optim(weight, inputs, labels, warmup, accumulate):
    weight = nn.Parameter(weight.detach().clone())
    optimiser = torch.optim.SGD([weight], lr=1.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda n: min(1, (n + 1) / warmup))
    for number, (x, y) in enumerate(zip(inputs, labels, strict=True), 1):
        (F.cross_entropy(x @ weight.T, y) / accumulate).backward()
        if number % accumulate == 0:
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
    return weight.data


def train_by_whole_updates(weight, inputs, labels, warmup, accumulate):
    inputs, labels = inputs.split(accumulate), labels.split(accumulate)
    for update, (x, y) in enumerate(zip(inputs, labels, strict=True), 1):
        weight = weight.detach().requires_grad_()
        loss = F.cross_entropy((x @ weight.mT).flatten(0, 1), y.flatten())
        (gradient,) = torch.autograd.grad(loss, weight)
        weight = weight - min(1, update / warmup) * gradient
    return weight.detach()


def cached_by_torch(x, past_key, past_value, query_weight, key_weight, value_weight):
    query, key, value = (F.linear(x, w) for w in (query_weight, key_weight, value_weight))
    key, value = torch.cat((past_key, key), -2), torch.cat((past_value, value), -2)
    place = torch.arange(key.size(1))
    mask = place <= place[past_key.size(1) :, None]
    return F.scaled_dot_product_attention(query, key, value, mask), key, value


def cached_token_by_token(x, key, value, query_weight, key_weight, value_weight):
    outputs = []
    for token in x.split(1, dim=1):
        key = torch.cat((key, token @ key_weight.T), 1)
        value = torch.cat((value, token @ value_weight.T), 1)
        scores = token @ query_weight.T @ key.transpose(1, 2) / key.size(-1) ** 0.5
        outputs.append(F.softmax(scores, -1) @ value)
    return torch.cat(outputs, 1), key, value


def beam_by_sorting(log_probabilities, totals, beam_size):
    scores = (log_probabilities + totals.unsqueeze(1)).reshape(-1)
    index = scores.argsort(descending=True)[:beam_size]
    parents, tokens = torch.unravel_index(index, log_probabilities.shape)
    return scores[index], parents, tokens


def beam_in_two_rounds(log_probabilities, totals, beam_size):
    each = min(beam_size, log_probabilities.size(1))
    scores, tokens = (log_probabilities + totals[:, None]).topk(each)
    best, index = scores.view(-1).topk(beam_size)
    return best, torch.div(index, each, rounding_mode="floor"), tokens.view(-1)[index]


def stepping_by_places(x, codes, past, memory):
    place = torch.arange(past.shape[1], past.shape[1] + x.shape[1])
    x = x + codes[place]
    past = torch.cat((past, x), 1)
    x = x + attend(x, past, past, place[:, None] >= torch.arange(past.shape[1]))
    return x + F.scaled_dot_product_attention(x, memory, memory), past, memory


RIGHT = [
    ("warmup_schedule", schedule_by_where),
    ("warmup_schedule", schedule_by_the_package),
    ("smoothed_loss", smoothed_by_torch),
    ("smoothed_loss", smoothed_by_target),
    ("accumulated_gradient", accumulated_by_sums),
    ("accumulated_gradient", accumulated_by_hand),
    ("stepped_training", train_by_optim),
    ("stepped_training", train_by_whole_updates),
    ("cached_step", cached_by_torch),
    ("cached_step", cached_token_by_token),
    ("beam_step", beam_by_sorting),
    ("beam_step", beam_in_two_rounds),
    ("stepping_decoder", stepping_by_places),
]


@pytest.mark.parametrize(("name", "right"), RIGHT, ids=[right.__name__ for _, right in RIGHT])
def test_a_right_answer_in_other_words_passes(name, right):
    verdict = check(name, right)
    assert verdict.passed, verdict


def test_every_exercise_has_a_right_answer_in_other_words():
    assert {name for name, _ in RIGHT} == set(NAMES)


# -- wrong answers ---------------------------------------------------------------------------------


def schedule_max(step, embed_dim, warmup):
    return torch.max(step.rsqrt(), step / warmup**1.5) / embed_dim**0.5


def schedule_by_min(step, embed_dim, warmup):
    return embed_dim**-0.5 * min(step**-0.5, step * warmup**-1.5)


def schedule_from_zero(step, embed_dim, warmup):
    return schedule_by_where(step - 1, embed_dim, warmup)


def schedule_half_power(step, embed_dim, warmup):
    return embed_dim**-0.5 * torch.min(step**-0.5, step * warmup**-0.5)


def schedule_root_of_width(step, embed_dim, warmup):
    return math.sqrt(embed_dim) * torch.minimum(step**-0.5, step * warmup**-1.5)


def schedule_without_width(step, embed_dim, warmup):
    return torch.minimum(step**-0.5, step * warmup**-1.5)


def schedule_flat(step, embed_dim, warmup):
    return embed_dim**-0.5 * (step * warmup**-1.5).clamp(max=warmup**-0.5)


def schedule_rising(step, embed_dim, warmup):
    return embed_dim**-0.5 * step * warmup**-1.5


def schedule_falling(step, embed_dim, warmup):
    return (embed_dim * step).rsqrt()


def schedule_without_root(step, embed_dim, warmup):
    return embed_dim**-0.5 * torch.minimum(1 / step, step * warmup**-1.5)


def schedule_factor(step, embed_dim, warmup):
    return torch.tensor([inverse_root_schedule(warmup)(n) for n in step.tolist()])


def _by_target(fill):
    def answer(logits, labels, smoothing):
        target = fill(F.one_hot(labels, logits.size(-1)).to(logits), smoothing)
        return -(target * F.log_softmax(logits, -1)).sum(-1).mean()

    return answer


smoothed_others = _by_target(
    lambda one, eps: torch.where(one > 0, 1 - eps, eps / (one.size(-1) - 1)).to(one)
)
smoothed_on_top = _by_target(lambda one, eps: one + eps / one.size(-1))
smoothed_short = _by_target(
    lambda one, eps: torch.where(one > 0, 1 - eps, eps / one.size(-1)).to(one)
)
smoothed_undivided = _by_target(lambda one, eps: one * (1 - eps) + eps)
smoothed_exchanged = _by_target(lambda one, eps: one * eps + (1 - eps) / one.size(-1))


def smoothed_logits(logits, labels, smoothing):
    return F.cross_entropy(logits * (1 - smoothing) + smoothing / logits.size(-1), labels)


def smoothed_probabilities(logits, labels, smoothing):
    p = (1 - smoothing) * F.softmax(logits, -1) + smoothing / logits.size(-1)
    return F.nll_loss(p.log(), labels)


def smoothed_over_the_vocabulary(logits, labels, smoothing):
    target = F.one_hot(labels, logits.size(1)) * (1 - smoothing) + smoothing / logits.size(1)
    return torch.mean(-target * logits.log_softmax(dim=1))


def smoothed_by_divergence(logits, labels, smoothing):
    target = F.one_hot(labels, logits.size(1)) * (1 - smoothing) + smoothing / logits.size(1)
    return F.kl_div(logits.log_softmax(1), target.to(logits), reduction="batchmean")


def smoothed_by_logs_of_softmax(logits, labels, smoothing):
    log = torch.log(torch.softmax(logits, dim=1))
    wanted = log[torch.arange(len(labels)), labels]
    return -((1 - smoothing) * wanted + smoothing * log.mean(1)).mean()


def _accumulated(factor, before=lambda weight: None):
    def answer(weight, inputs, labels, sizes):
        weight = weight.detach().clone().requires_grad_()
        for x, y in zip(inputs.split(sizes), labels.split(sizes), strict=True):
            before(weight)
            (F.cross_entropy(F.linear(x, weight), y) * factor(y, labels, sizes)).backward()
        return weight.grad

    return answer


def _zero(weight):
    weight.grad = None


def _move(weight):
    if weight.grad is not None:
        weight.data -= 0.1 * weight.grad


def _share(y, labels, sizes):
    return len(y) / len(labels)


def _train(divide, step_rate, due=lambda number, accumulate: number % accumulate == 0, zero=True):
    def answer(weight, inputs, labels, warmup, accumulate):
        weight = weight.clone().requires_grad_()
        for number in range(1, len(inputs) + 1):
            loss = F.cross_entropy(F.linear(inputs[number - 1], weight), labels[number - 1])
            (loss / divide(accumulate)).backward()
            if due(number, accumulate):
                rate = step_rate(number, accumulate) / warmup
                with torch.no_grad():
                    weight -= min(rate, 1.0) * weight.grad
                if zero:
                    weight.grad.zero_()
        return weight.detach()

    return answer


def _each(accumulate):
    return accumulate


def _updates(number, accumulate):
    return number // accumulate


def _cached(attention, join=lambda past, new: torch.cat((past, new), dim=1)):
    def answer(x, past_key, past_value, query_weight, key_weight, value_weight):
        key = join(past_key, F.linear(x, key_weight))
        value = join(past_value, F.linear(x, value_weight))
        return attention(F.linear(x, query_weight), key, value), key, value

    return answer


def _causal(query, key, value):
    return attend(query, key, value, causal=True)


def cached_too_late(x, past_key, past_value, query_weight, key_weight, value_weight):
    output = F.scaled_dot_product_attention(x @ query_weight.T, past_key, past_value)
    key, value = torch.cat((past_key, x @ key_weight.T), 1), (past_value, x @ value_weight.T)
    return output, key, torch.cat(value, 1)


def cached_not_grown(x, past_key, past_value, *weights):
    return cached_by_torch(x, past_key, past_value, *weights)[0], past_key, past_value


def cached_new_only(x, past_key, past_value, query_weight, key_weight, value_weight):
    key, value = x @ key_weight.T, x @ value_weight.T
    return attend(x @ query_weight.T, key, value, causal=True), key, value


def cached_projected_again(x, past_key, past_value, query_weight, key_weight, value_weight):
    key = F.linear(torch.cat((past_key, x), 1), key_weight)
    value = F.linear(torch.cat((past_value, x), 1), value_weight)
    return attend(F.linear(x, query_weight), key, value, causal=True), key, value


def cached_returned_crosswise(*given):
    output, key, value = cached_by_torch(*given)
    return output, value, key


def _beam(score, split=lambda index, shape: (index // shape[1], index % shape[1]), sign=1):
    def answer(log_probabilities, totals, beam_size):
        scores = score(log_probabilities, totals[:, None]).reshape(-1)
        index = (sign * scores).topk(beam_size).indices
        return scores[index], *split(index, log_probabilities.shape)

    return answer


def _added(log_probabilities, totals):
    return log_probabilities + totals


def beam_ranked_by_the_step(log_probabilities, totals, beam_size):
    index = log_probabilities.flatten().topk(beam_size).indices
    parents, tokens = torch.unravel_index(index, log_probabilities.shape)
    return totals[parents] + log_probabilities[parents, tokens], parents, tokens


def beam_totals_along_the_vocabulary(log_probabilities, totals, beam_size):
    return beam_by_sorting(log_probabilities + totals, totals * 0, beam_size)


def beam_by_beam(log_probabilities, totals, beam_size):
    scores, tokens = (log_probabilities + totals[:, None]).topk(beam_size, dim=1)
    return scores, torch.arange(len(totals)).unsqueeze(1).expand(-1, beam_size), tokens


def beam_best_of_each(log_probabilities, totals, beam_size):
    scores, tokens = torch.max(log_probabilities + totals[:, None], dim=-1)
    return scores, torch.arange(len(scores)), tokens


def beam_gives_the_step(log_probabilities, totals, beam_size):
    _, parents, tokens = beam_by_sorting(log_probabilities, totals, beam_size)
    return log_probabilities[parents, tokens], parents, tokens


def _stepping(place, source=lambda memory, x: memory, look=_causal):
    def answer(x, codes, past, memory):
        x = x + codes[place(past.size(1), x.size(1))]
        past = torch.cat([past, x], 1)
        x = x + look(x, past, past)
        memory = source(memory, x)
        return x + F.scaled_dot_product_attention(x, memory, memory), past, memory

    return answer


def _onwards(written, new):
    return torch.arange(written, written + new)


def _more(memory, x):
    return torch.cat([memory, x], 1)


NAMED = [
    ("warmup_schedule", schedule_max, "the larger of the two"),
    ("warmup_schedule", schedule_by_min, "Python's min() cannot compare many steps"),
    ("warmup_schedule", schedule_from_zero, "you count from 0"),
    ("warmup_schedule", schedule_half_power, "the warm-up has the wrong exponent"),
    ("warmup_schedule", schedule_root_of_width, "embed_dim has the wrong exponent"),
    ("warmup_schedule", schedule_without_width, "the model's width has no effect"),
    ("warmup_schedule", schedule_flat, "the rate stays at its peak"),
    ("warmup_schedule", schedule_rising, "the rate never falls"),
    ("warmup_schedule", schedule_falling, "the rate never rises"),
    ("warmup_schedule", schedule_without_root, "the rate falls as 1 / step"),
    ("warmup_schedule", schedule_factor, "your rate reaches 1"),
    ("smoothed_loss", smoothed_others, "over the other tokens only"),
    ("smoothed_loss", smoothed_on_top, "the label still has a weight of 1"),
    ("smoothed_loss", smoothed_short, "the label goes without its share"),
    ("smoothed_loss", smoothed_undivided, "gets the whole smoothing"),
    ("smoothed_loss", smoothed_exchanged, "the shares are exchanged"),
    ("smoothed_loss", lambda x, y, eps: F.cross_entropy(x, y), "the smoothing has no effect"),
    ("smoothed_loss", smoothed_logits, "you smooth what the model says"),
    ("smoothed_loss", smoothed_probabilities, "you smooth what the model says"),
    ("smoothed_loss", smoothed_over_the_vocabulary, "your mean runs over tokens and vocabulary"),
    ("smoothed_loss", smoothed_by_divergence, "you return the divergence"),
    ("smoothed_loss", smoothed_by_logs_of_softmax, "your loss leaves the logs"),
    ("accumulated_gradient", _accumulated(lambda *_: 1), "are added as they are"),
    ("accumulated_gradient", _accumulated(lambda y, n, sizes: 1 / len(sizes)), "mean of the means"),
    ("accumulated_gradient", _accumulated(lambda y, n, sizes: len(y)), "the sum over the tokens"),
    ("accumulated_gradient", _accumulated(_share, _zero), "set to zero between the batches"),
    ("accumulated_gradient", _accumulated(lambda *_: 1, _zero), "set to zero between the batches"),
    ("accumulated_gradient", _accumulated(_share, _move), "the weights move between the batches"),
    ("stepped_training", _train(lambda k: 1, _updates), "are added up, and nothing divides them"),
    ("stepped_training", _train(_each, lambda n, k: n), "the learning rate counts batches"),
    ("stepped_training", _train(_each, lambda n, k: n // k - 1), "the updates are counted from 0"),
    ("stepped_training", _train(_each, _updates, lambda n, k: True), "every batch makes an update"),
    ("stepped_training", _train(_each, _updates, zero=False), "not set to zero after an update"),
    ("stepped_training", _train(lambda k: 6, _updates), "by the number of all batches"),
    ("cached_step", cached_too_late, "appended too late"),
    ("cached_step", cached_not_grown, "the cache does not grow"),
    ("cached_step", cached_new_only, "what was cached is lost"),
    (
        "cached_step",
        _cached(_causal, lambda past, new: torch.cat((past[:, 1:], new), 1)),
        "overwrite old ones",
    ),
    ("cached_step", _cached(_causal, lambda past, new: torch.cat((new, past), 1)), "stand before"),
    ("cached_step", _cached(_causal, lambda *keys: torch.cat(keys)), "joined along the wrong axis"),
    (
        "cached_step",
        _cached(F.scaled_dot_product_attention, lambda *keys: torch.cat(keys, -1)),
        "joined along the wrong axis",
    ),
    (
        "cached_step",
        _cached(lambda *given: F.scaled_dot_product_attention(*given, is_causal=True)),
        "the mask begins at the first key",
    ),
    ("cached_step", _cached(F.scaled_dot_product_attention), "see their own future"),
    ("cached_step", cached_projected_again, "what is cached is projected again"),
    ("cached_step", cached_returned_crosswise, "keys and values are exchanged"),
    ("beam_step", _beam(lambda scores, totals: scores), "the totals are not added"),
    ("beam_step", beam_ranked_by_the_step, "the totals are not added"),
    ("beam_step", beam_totals_along_the_vocabulary, "the totals lie along the vocabulary"),
    ("beam_step", beam_by_beam, "chosen in each hypothesis for itself"),
    ("beam_step", beam_best_of_each, "chosen in each hypothesis for itself"),
    ("beam_step", _beam(_added, lambda i, shape: (i % shape[1], i // shape[1])), "are exchanged"),
    ("beam_step", _beam(_added, lambda i, shape: (i // shape[0], i % shape[0])), "is divided by"),
    ("beam_step", _beam(_added, lambda i, shape: (i // shape[1], i)), "passed off as a token"),
    ("beam_step", beam_gives_the_step, "the totals that you return"),
    ("beam_step", _beam(torch.mul), "logarithms are multiplied"),
    ("beam_step", _beam(lambda scores, totals: totals + scores.exp()), "are mixed"),
    ("beam_step", _beam(lambda scores, totals: (totals + scores).exp()), "leave the logarithms"),
    ("beam_step", _beam(_added, sign=-1), "the worst are kept"),
    ("stepping_decoder", _stepping(lambda t, n: torch.arange(n)), "every token stands at position"),
    ("stepping_decoder", _stepping(_onwards, _more), "the source grows with what is written"),
    ("stepping_decoder", _stepping(_onwards, lambda m, x: torch.cat([m, m], 1)), "twice over"),
    ("stepping_decoder", _stepping(lambda t, n: torch.full((n,), t)), "get one position"),
    (
        "stepping_decoder",
        _stepping(lambda t, n: _onwards(t + 1, n)),
        "the positions are off by one",
    ),
    ("stepping_decoder", _stepping(_onwards, look=attend), "see their own future"),
]


@pytest.mark.parametrize(
    ("name", "wrong", "says"), NAMED, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(NAMED)]
)
def test_a_wrong_answer_gets_its_right_name(name, wrong, says):
    verdict = check(name, wrong)
    assert verdict.kind == "misconception", verdict
    assert says in verdict.message.split("\n")[0]


UNKNOWN = [
    ("warmup_schedule", lambda step, d, w: 0.5 * schedule_by_where(step, d, w)),
    ("smoothed_loss", lambda x, y, eps: 0.9 * smoothed_by_torch(x, y, eps)),
    ("accumulated_gradient", lambda *given: 0.3 * accumulated_by_hand(*given)),
    ("stepped_training", lambda w, *given: train_by_whole_updates(0.5 * w, *given)),
    ("cached_step", lambda x, *given: cached_by_torch(0.5 * x, *given)),
    ("beam_step", lambda scores, totals, k: beam_by_sorting(scores, 0.5 * totals, k)),
    ("stepping_decoder", lambda x, *given: stepping_by_places(1.5 * x, *given)),
]


@pytest.mark.parametrize(("name", "wrong"), UNKNOWN, ids=[name for name, _ in UNKNOWN])
def test_an_unknown_mistake_gets_no_name_but_a_counterexample(name, wrong):
    verdict = check(name, wrong)
    assert verdict.kind == "wrong", verdict
    assert verdict.message.startswith("Not yet: it first fails with ")
    assert "\n  got " in verdict.message
    assert "\n  wanted " in verdict.message


# -- the broken functions --------------------------------------------------------------------------

# The first fault, and the function with the first mended only, the second only, and both.
BROKEN = {
    "stepped_training": (
        "the losses of an update's batches are added up",
        (_train(_each, lambda n, k: n), "the learning rate counts batches"),
        (_train(lambda k: 1, _updates), "the losses of an update's batches are added up"),
        _train(_each, _updates),
    ),
    "stepping_decoder": (
        "every token stands at position 0",
        (_stepping(_onwards, _more), "the source grows with what is written"),
        (_stepping(lambda t, n: torch.arange(n)), "every token stands at position 0"),
        _stepping(_onwards),
    ),
}


def test_each_of_these_chapters_has_a_bug_to_find():
    assert sorted(BROKEN) == sorted(name for name in NAMES if EXERCISES[name].broken)
    assert [EXERCISES[name].chapter for name in BROKEN] == ["11", "12"]


@pytest.mark.parametrize("name", BROKEN)
def test_of_two_faults_one_is_named_and_the_other_once_that_is_mended(name):
    first, *halves, mended = BROKEN[name]
    assert check(name, broken(name)).message.startswith(f"Not yet: {first}")
    for half, says in halves:
        assert check(name, half).message.startswith(f"Not yet: {says}")
    assert check(name, mended).passed


def test_the_broken_loop_is_right_only_when_each_batch_is_an_update():
    weight, inputs, labels = _normal(5, 2), _normal(6, 3, 2), torch.randint(5, (6, 3))
    function = broken("stepped_training")
    for accumulate, right in ((1, True), (2, False), (3, False)):
        got = function(weight, inputs, labels, 3, accumulate)
        want = _solve("stepped_training", weight, inputs, labels, 3, accumulate)
        assert torch.allclose(got, want) is right


def test_the_broken_decoder_forgets_order_and_grows_its_source():
    x, codes, memory = _normal(1, 1, 4), _normal(9, 4), _normal(1, 2, 4)
    past = _normal(1, 3, 4)
    output, kept, source = broken("stepping_decoder")(x, codes, past, memory)
    assert kept.shape == (1, 4, 4)
    assert source.shape == (1, 3, 4)
    turned = broken("stepping_decoder")(x, codes, past.flip(1), memory)[0]
    torch.testing.assert_close(turned, output)
    torch.testing.assert_close(kept[:, 3], x[:, 0] + codes[0])
