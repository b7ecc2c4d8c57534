"""`check` on anything a reader may hand it: a clear verdict, never a traceback."""

from __future__ import annotations

import functools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from attncourse import attend
from attncourse.exercises import EXERCISES, broken, check
from attncourse.exercises.judging.bench import Bench

# -- nothing to check ------------------------------------------------------------------------------


def dots(query, key, value): ...


def passes(query, key, value):
    pass


def says_not_implemented(query, key, value):
    raise NotImplementedError("your turn")


def test_a_stub_is_told_what_is_wanted_and_where_help_is():
    assert repr(check("soft_lookup", dots)) == (
        "Nothing to check yet: dots returns None.\n"
        "Wanted: soft_lookup(query, key, value) -> (value_width,)\n"
        'Stuck? hint("soft_lookup"), then solution("soft_lookup").'
    )


@pytest.mark.parametrize("name", sorted(EXERCISES))
def test_every_exercise_knows_a_stub(name):
    def stub(*arguments):
        pass

    assert check(name, stub).kind == "stub"


@pytest.mark.parametrize("stub", [dots, passes, says_not_implemented, None, ...])
def test_every_kind_of_stub_is_one(stub):
    verdict = check("soft_lookup", stub)
    assert verdict.kind == "stub"
    assert not verdict
    assert not verdict.passed


def test_a_forgotten_return_is_no_stub():
    def forgetful(query, key, value):
        torch.softmax(key @ query, 0) @ value

    assert "forgetful computes, but returns None" in check("soft_lookup", forgetful).message


class Lookup(nn.Module):
    def forward(self, query, key, value):
        return torch.softmax(key @ query, 0) @ value


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        (Lookup, "Lookup is a class"),
        (torch.ones(2), "this is a tensor, not a function"),
        (7, "this is of type int, not a function"),
        ("soft_lookup", "this is of type str, not a function"),
        (torch, "this is of type module, not a function"),  # not of type torch
    ],
)
def test_what_is_not_a_function_is_said_to_be_none(thing, says):
    verdict = check("soft_lookup", thing)
    assert verdict.kind == "not a function"
    assert says in verdict.message


def test_a_function_without_a_proper_name_gets_a_verdict():
    class Numbered:
        __name__ = 7

        def __call__(self, query, key, value):
            pass

    assert check("soft_lookup", Numbered()).kind == "stub"


@pytest.mark.parametrize(
    "thing",
    [
        Lookup(),
        Lookup().forward,
        functools.partial(lambda query, key, value, power: Lookup()(query, key, value), power=2),
        lambda *arguments: Lookup()(*arguments),
    ],
    ids=["module", "method", "partial", "starred"],
)
def test_modules_methods_and_partials_are_functions_too(thing):
    assert check("soft_lookup", thing).passed


def test_too_few_parameters_are_named():
    message = check("soft_lookup", lambda query, key: key @ query).message
    assert "takes (query, key), but is called with (query, key, value)" in message


def test_a_mask_without_a_default_is_noticed():
    def strict(query, key, value, mask):
        return broken

    verdict = check("scaled_dot_product_attention", strict)
    assert verdict.kind == "signature"
    assert "(query, key, value, mask), but is called with (query, key, value)" in verdict.message
    assert "mask=None" in verdict.message


def test_where_a_return_is_missing_is_told():
    def forgetful(query, key, value, mask=None):
        if mask is None:
            return attend(query, key, value)

    verdict = check("scaled_dot_product_attention", forgetful)
    assert verdict.kind == "contract"
    assert "your function returns nothing: is a return missing?" in verdict.message
    assert verdict.message.startswith("Not yet: with ")


def test_the_small_case_is_one_on_which_the_right_answer_is_right():
    """Of one word, whose layer norm of nearly nothing is rounding, nothing can be learned."""
    exercise = EXERCISES["decoder_layer"]

    def reads_the_future(x, memory, memory_mask):
        x = F.layer_norm(x + attend(x, x, x), x.shape[-1:])
        read = attend(x, memory, memory, memory_mask[:, None])
        return F.layer_norm(x + read, x.shape[-1:])

    bench = Bench(exercise, reads_the_future)
    case = exercise.cases[0]
    small = bench.smallest(bench.run(case, exercise.arguments(case, 0)))
    assert not small.right
    assert small.arguments[0].shape[1] > 1
    assert Bench(exercise, exercise.solution).run(small.case, small.arguments).right


@pytest.mark.parametrize(
    ("name", "fill"),
    [("padded_heads", -30), ("padded_heads", -100), ("symmetric_attention", -100)],
)
def test_a_fill_that_large_scores_pass_is_wrong(name, fill):
    def padded_heads(query, key, value, mask):
        scores = query @ key.mT / query.shape[-1] ** 0.5
        return scores.masked_fill(~mask[:, None, None], fill).softmax(-1) @ value

    def symmetric_attention(x, mask, query_weight, key_weight, value_weight):
        query, key, value = (x @ weight.mT for weight in (query_weight, key_weight, value_weight))
        scores = query @ key.mT / query.shape[-1] ** 0.5
        return scores.masked_fill(~mask[:, None], fill).softmax(-1) @ value

    verdict = check(name, {f.__name__: f for f in (padded_heads, symmetric_attention)}[name])
    assert not verdict.passed
    assert "scores in the thousands" in verdict.message


def test_the_lengths_in_an_error_get_the_names_of_their_axes():
    def misplaced(state, memory, mask, query_weight, key_weight, output_weight):
        scores = torch.tanh(state @ query_weight.mT + memory @ key_weight.mT) @ output_weight
        return scores.softmax(-1) @ memory, scores

    message = check("attention_step", misplaced).message
    assert "RuntimeError" in message
    assert "\nHere 3 is batch, 5 is source.\n" in message


def test_an_error_that_speaks_of_no_length_gets_no_names():
    def misspelt(query, key, value):
        return missing

    assert "\nHere " not in check("soft_lookup", misspelt).message


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda n: ~torch.eye(n, dtype=torch.bool).numpy(), "numpy cuts the gradient off"),
        (lambda n: [[i != j for j in range(n)] for i in range(n)], "torch.tensor(...) makes one"),
        (lambda n: (torch.ones(n), torch.ones(n)), "It holds 2 values"),
    ],
)
def test_what_is_no_tensor_is_told_how_to_become_one(wrong, says):
    verdict = check("leave_one_out", wrong)
    assert verdict.kind == "contract"
    assert says in " ".join(verdict.message.split())


# -- the contract ----------------------------------------------------------------------------------


def _right(query, key, value):
    return torch.softmax(key @ query, 0) @ value


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda q, k, v: _right(q, k, v).float().numpy(), "returns a numpy.ndarray, not a tensor"),
        (lambda q, k, v: _right(q, k, v).tolist(), "returns a list, not a tensor"),
        (lambda q, k, v: _right(q, k, v).sum().item(), "returns a float, not a tensor"),
        (lambda q, k, v: (_right(q, k, v), k @ q), "It holds 2 values; return the one"),
        (lambda q, k, v: (yield _right(q, k, v)), "returns a generator, not a tensor"),
        (lambda q, k, v: _right(q, k, v).double(), "your result is float64, wanted float32"),
        (lambda q, k, v: _right(q, k, v).float(), "with float64 your result is float32"),
        (lambda q, k, v: _right(q, k, v) * 1j, "your result is complex64, wanted float32"),
        (lambda q, k, v: _right(q, k, v).to_sparse(), "a tensor that is not dense"),
        (lambda q, k, v: _right(q, k, v).to("meta"), "the inputs are on cpu, your result on meta"),
        (lambda q, k, v: _right(q, k, v)[:1], "your result has shape (1,), wanted (2,)"),
        (lambda q, k, v: _right(q, k.mul_(2), v), "changes its argument key"),
        (lambda q, k, v: _right(q.neg_(), k, v), "changes its argument query"),
        (lambda q, k, v: _right(q, k, v) + torch.rand(()), "it answers differently"),
    ],
)
def test_a_broken_contract_is_named(wrong, says):
    verdict = check("soft_lookup", wrong)
    assert verdict.kind == "contract", verdict
    assert says in verdict.message


@pytest.mark.parametrize("name", ["repair_pooling", "repair_entities", "repair_generation"])
def test_a_result_without_numbers_gets_a_verdict(name):
    verdict = check(name, lambda *arguments: EXERCISES[name].solution(*arguments).to("meta"))
    assert verdict.kind == "contract"
    assert "your result on meta" in verdict.message


def test_a_boolean_mask_is_not_a_float():
    assert (
        "your result is float64, wanted bool"
        in check("leave_one_out", lambda n: 2 - torch.eye(n, dtype=torch.float64)).message
    )


def test_a_view_that_needs_one_order_in_memory_is_told_so():
    def viewed(query, key, value):
        return _right(query, key.view(-1).view(key.shape), value)

    verdict = check("soft_lookup", viewed)
    assert verdict.kind == "raised"
    assert "with tensors laid out in another order in memory" in verdict.message
    assert "reshape() does not" in verdict.message


def test_the_dtype_of_inputs_is_spoken_of_only_where_there_are_any():
    wide = check("sinusoidal_code", lambda length, width: torch.zeros(length, width).double())
    assert wide.kind == "contract"
    assert "your result is float64, wanted float32" in " ".join(wide.message.split())
    assert "inputs" not in wide.message
    merged = check("merge_heads", lambda x: x.transpose(1, 2).flatten(2).double())
    assert "Take the dtype from the inputs" in merged.message


@pytest.mark.parametrize("name", ["repair_translation", "repair_classification"])
def test_the_error_of_a_broken_function_is_told_without_torchs_words(name):
    # The book stores these verdicts, and the words change from version to version.
    message = check(name, broken(name)).message
    assert " it raises RuntimeError in line " in message
    assert "xpected" not in message


# -- the order of what is said ---------------------------------------------------------------------


def test_a_changed_argument_is_told_before_a_wrong_value():
    assert check("soft_lookup", lambda q, k, v: v.mul_(2).mean(0)).kind == "contract"


def test_a_wrong_dtype_is_told_before_an_unknown_wrong_value():
    assert check("soft_lookup", lambda q, k, v: (v.mean(0) + 1).double()).kind == "contract"


def test_a_misconception_is_told_before_the_shape_that_it_causes():
    verdict = check("soft_lookup", lambda q, k, v: torch.softmax(k @ q, 0))
    assert verdict.kind == "misconception"
    assert "you return the weights" in verdict.message


def test_a_wrong_value_is_told_before_a_wrong_gradient():
    assert check("soft_lookup", lambda q, k, v: v.mean(0).detach()).kind == "misconception"
    assert check("soft_lookup", lambda q, k, v: v.mean(0).detach() + 1).kind == "wrong"


# -- gradients -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cut",
    [
        lambda q, k, v: _right(q, k, v).detach(),
        lambda q, k, v: _right(q.data, k.data, v.data),
        torch.no_grad()(_right),
        lambda q, k, v: torch.tensor(_right(q, k, v).tolist(), dtype=v.dtype),
    ],
)
def test_a_result_that_is_cut_off_has_no_gradient(cut):
    verdict = check("soft_lookup", cut)
    assert verdict.kind == "gradient"
    assert "no gradient comes back" in verdict.message


def test_a_part_that_is_cut_off_is_named():
    message = check("soft_lookup", lambda q, k, v: _right(q.detach(), k, v)).message
    assert "the gradient of query differs" in message


def test_the_root_of_a_zero_distance_has_no_finite_gradient():
    def rooted(query, key, value, bandwidth):
        distance = (query.unsqueeze(-2) - key.unsqueeze(-3)).square().sum(-1).sqrt()
        return torch.softmax(-((distance / bandwidth) ** 2) / 2, -1) @ value

    verdict = check("nadaraya_watson", rooted)
    assert verdict.kind == "gradient"
    assert "the gradient of query is not finite. Look for the root of zero" in verdict.message


def test_a_bandwidth_turned_into_a_number_gets_no_gradient():
    def number(query, key, value, bandwidth):
        difference = query.unsqueeze(-2) - key.unsqueeze(-3)
        return torch.softmax(-difference.square().sum(-1) / (2 * float(bandwidth) ** 2), -1) @ value

    verdict = check("nadaraya_watson", number)
    assert verdict.kind == "gradient"
    assert "the gradient of bandwidth differs" in verdict.message


def test_a_softmax_changed_in_place_is_told_what_to_use_instead():
    def patched(scores, mask):
        weights = scores.masked_fill(~mask, -torch.inf).softmax(-1)
        weights[weights.isnan()] = 0.0
        return weights

    verdict = check("masked_softmax", patched)
    assert verdict.kind == "gradient"
    assert "inplace operation" in verdict.message
    assert "use masked_fill or torch.where" in verdict.message


# -- remarks ---------------------------------------------------------------------------------------


def looped(query, key, value):
    weights = torch.stack([query @ row for row in key]).softmax(0)
    return sum(weight * row for weight, row in zip(weights, value, strict=True))


def test_a_loop_over_the_input_passes_with_a_kind_word():
    verdict = check("soft_lookup", looped)
    assert verdict.passed
    assert "it loops in Python over its input" in verdict.message


def test_a_loop_over_the_leading_axes_is_seen_too():
    def by_example(query, key, value, mask=None):
        if query.dim() > 2:
            masks = [None] * len(query) if mask is None else mask
            parts = zip(query, key, value, masks, strict=True)
            return torch.stack([by_example(*part) for part in parts])
        return EXERCISES["scaled_dot_product_attention"].solution(query, key, value, mask)

    verdict = check("scaled_dot_product_attention", by_example)
    assert verdict.passed
    assert "it loops in Python" in verdict.message


def test_a_mask_filled_in_a_loop_passes_with_the_same_word():
    def filled(n):
        mask = torch.ones(n, n, dtype=torch.bool)
        for i in range(n):
            mask[i, i] = False
        return mask

    verdict = check("leave_one_out", filled)
    assert verdict.passed
    assert "it loops in Python" in verdict.message


def test_a_formula_that_fails_far_out_passes_with_a_warning():
    def by_the_book(query, key, value, bandwidth):
        distance = (query.unsqueeze(-2) - key.unsqueeze(-3)).square().sum(-1)
        kernel = torch.exp(-distance / (2 * bandwidth**2))
        return kernel / kernel.sum(-1, keepdim=True) @ value

    verdict = check("nadaraya_watson", by_the_book)
    assert verdict.passed
    assert "with queries far from every key it fails" in verdict.message
