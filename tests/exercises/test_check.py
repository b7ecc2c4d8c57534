"""`check` on anything a reader may hand it: a clear verdict, never a traceback."""

from __future__ import annotations

import functools
import os
import random
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from attncourse.exercises import EXERCISES, broken, check, hint, probe, solution

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
    ],
)
def test_what_is_not_a_function_is_said_to_be_none(thing, says):
    verdict = check("soft_lookup", thing)
    assert verdict.kind == "not a function"
    assert says in verdict.message


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


# -- errors ----------------------------------------------------------------------------------------


def test_an_error_is_told_with_its_line():
    def misspelt(query, key, value):
        scores = key @ query
        return torch.softmax(score, 0) @ value + scores.min()

    message = check("soft_lookup", misspelt).message
    assert "  NameError: name 'score' is not defined\n" in message
    assert "line 3 of your function, `return torch.softmax(score, 0) @ value" in message
    assert "Traceback" not in message


def test_an_error_inside_a_library_is_told_with_the_readers_own_line():
    def averaged(query, key, value):
        weights = torch.softmax(key @ query, 0)
        return torch.einsum("n,n->n", weights, value)  # raises in Python code of torch

    verdict = check("soft_lookup", averaged)
    assert verdict.kind == "raised"
    assert "line 3 of your function, `return torch.einsum" in verdict.message


def test_the_arguments_shapes_are_told_with_an_error():
    def confused(query, key, value):
        return key @ key

    assert "query (3,), key (5, 3), value (5, 2)" in check("soft_lookup", confused).message


@pytest.mark.parametrize("error", [SystemExit(3), RecursionError(), KeyError("x"), OSError(2)])
def test_any_error_becomes_a_verdict(error):
    def raises(query, key, value):
        raise error

    assert check("soft_lookup", raises).kind == "raised"


def test_endless_recursion_becomes_a_verdict():
    def deeper(query, key, value):
        return deeper(query, key, value)

    verdict = check("soft_lookup", deeper)
    assert verdict.kind == "raised"
    assert "RecursionError" in verdict.message


def test_an_interrupt_is_the_readers_own():
    def interrupted(query, key, value):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check("soft_lookup", interrupted)


def test_addresses_and_long_messages_do_not_reach_the_verdict():
    text = f"{object()!r} " + "x" * 1000 + "\nsecond line"

    def raises(query, key, value):
        raise ValueError(text)

    message = check("soft_lookup", raises).message
    assert "0x" not in message
    assert "second line" not in message
    assert max(len(line) for line in message.splitlines()) < 250


@pytest.mark.skipif(not hasattr(__import__("signal"), "setitimer"), reason="POSIX has the timer")
@pytest.mark.parametrize("catches", [False, True])
def test_a_function_that_never_ends_is_stopped(monkeypatch, catches):
    def endless(n):
        while True:
            try:
                sum(range(100))
            except Exception:
                if not catches:
                    raise

    monkeypatch.setattr(probe, "SECONDS", 0.2)
    verdict = check("leave_one_out", endless)
    assert verdict.kind == "endless"
    assert "does a loop never end?" in verdict.message


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


# -- quiet and repeatable --------------------------------------------------------------------------


def chatty(query, key, value):
    print("scores", key @ query)
    sys.stderr.write("and more\n")
    warnings.warn("and a warning", stacklevel=2)
    return _right(query, key, value)


def test_what_a_function_prints_is_swallowed_and_mentioned(capsys):
    verdict = check("soft_lookup", chatty)
    assert verdict.passed
    assert "(What your function prints is left out here.)" in verdict.message
    assert capsys.readouterr() == ("", "")


def test_a_wrong_function_that_prints_is_told_both():
    def wrong(query, key, value):
        print(query)
        return value.mean(0)

    verdict = check("soft_lookup", wrong)
    assert verdict.kind == "misconception"
    assert "is left out here" in verdict.message


def test_the_random_states_are_left_as_they_were():
    def seeds(query, key, value):
        torch.manual_seed(3), np.random.seed(3), random.seed(3)
        torch.rand(5), np.random.rand(5), random.random()
        return _right(query, key, value)

    draws = []
    for run in (False, True):
        torch.manual_seed(1), np.random.seed(1), random.seed(1)
        if run:
            assert check("soft_lookup", seeds).passed
            assert not check("soft_lookup", lambda q, k, v: v.mean(0))
        draws.append((torch.rand(()).item(), np.random.rand(), random.random()))
    assert draws[0] == draws[1]


def test_a_verdict_without_gradients_around_it_is_the_same():
    with torch.no_grad():
        assert check("soft_lookup", _right).passed
        assert check("soft_lookup", lambda q, k, v: _right(q, k, v).detach()).kind == "gradient"


VERDICTS = """
import torch
from attncourse.exercises import EXERCISES, check
for name, exercise in EXERCISES.items():
    for idea in exercise.misconceptions:
        print(check(name, idea.does[0]))
    print(check(name, exercise.solution), check(name, lambda *arguments: 2 * exercise.solution(
        *(a.float() if hasattr(a, "float") and a.is_floating_point() else a for a in arguments))))
"""


def test_verdicts_are_the_same_on_another_processor():
    outputs = []
    for capability in (None, "default"):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        if capability:
            environment["ATEN_CPU_CAPABILITY"] = capability
        run = subprocess.run(
            [sys.executable, "-c", VERDICTS], env=environment, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        assert run.stderr == ""
        outputs.append(run.stdout)
    assert outputs[0].count("Not yet") > 100
    assert outputs[0] == outputs[1]


# -- the functions around it -----------------------------------------------------------------------


def test_a_verdict_shows_its_message_and_counts_as_its_truth():
    verdict = check("soft_lookup", _right)
    assert repr(verdict) == verdict.message
    assert verdict.message == (
        "Passed: soft_lookup is right in all 8 cases, and so are its gradients."
    )
    assert bool(verdict) is True


def test_hint_and_solution_show_as_plain_text():
    assert repr(hint("soft_lookup")) == str(hint("soft_lookup"))
    assert repr(solution("soft_lookup")).startswith("def soft_lookup(query, key, value):\n    ")


@pytest.mark.usefixtures("own_errors")
@pytest.mark.parametrize("function", [hint, solution, broken, lambda name: check(name, _right)])
def test_an_unknown_name_is_answered_with_the_nearest(function):
    with pytest.raises(ValueError, match="is named 'soft_lokup'; nearest: soft_lookup"):
        function("soft_lokup")
    with pytest.raises(ValueError, match="nearest: soft_lookup, "):
        function("")
    with pytest.raises(TypeError, match="name must be an exercise's name, got function"):
        function(_right)


def test_what_is_not_broken_cannot_be_had_broken():
    with pytest.raises(ValueError, match="'soft_lookup' has nothing to repair; these have: re"):
        broken("soft_lookup")
