"""`check` on functions that fail, or leave things changed: it survives them, quietly."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

from attncourse import masked_softmax
from attncourse.exercises import EXERCISES, check


def _right(query, key, value):
    return torch.softmax(key @ query, 0) @ value


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


class DumbError(Exception):
    def __str__(self):
        raise RuntimeError("an error in an error")


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        RecursionError(),
        KeyError("x"),
        OSError(2),
        DumbError(),
        GeneratorExit(),
        asyncio.CancelledError(),
        BaseException("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_error_becomes_a_verdict(error):
    def raises(query, key, value):
        raise error

    verdict = check("soft_lookup", raises)
    assert verdict.kind == "raised"
    assert f"\n  {type(error).__name__}" in verdict.message


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


class Stuck(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        print("backward")
        raise ValueError("no way back")


def test_an_error_on_the_way_back_becomes_a_verdict(capsys):
    verdict = check("soft_lookup", lambda q, k, v: _right(Stuck.apply(q), k, v))
    assert verdict.kind == "gradient"
    assert "its gradient cannot be computed: ValueError: no way back" in verdict.message
    assert "masked_fill" not in verdict.message
    assert capsys.readouterr() == ("", "")


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


@pytest.mark.usefixtures("own_errors")  # the check of annotations draws random numbers itself
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


ELSEWHERE = """
import torch
torch.set_default_device("meta")
from attncourse.exercises import EXERCISES, check
for name, exercise in EXERCISES.items():
    print(check(name, exercise.solution).kind)
"""


def test_the_default_device_does_not_matter():
    run = subprocess.run([sys.executable, "-c", ELSEWHERE], capture_output=True, text=True)
    assert run.stdout.split() == ["passed"] * len(EXERCISES), run.stderr


VERDICTS = """
import torch
from attncourse.exercises import EXERCISES, check
for name, exercise in EXERCISES.items():
    for idea in exercise.misconceptions:
        print(check(name, idea.does[0]))
    print(check(name, exercise.solution), check(name, lambda *arguments: 2 * exercise.solution(
        *(a.float() if hasattr(a, "float") and a.is_floating_point() else a for a in arguments))))
"""


@pytest.mark.timeout(1200)  # hundreds of answers, twice
def test_verdicts_are_the_same_on_another_processor():
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", VERDICTS],
            env={**environment, **arithmetic},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for arithmetic in ({}, {"ATEN_CPU_CAPABILITY": "default"})
    ]
    (one, no_complaint), (other, nor_here) = (run.communicate() for run in runs)
    assert (no_complaint, nor_here) == ("", "")
    assert one.count("Not yet") > 100
    assert one == other


def test_a_result_that_is_no_tensor_at_small_sizes_only():
    def one_word_late(logits, labels, mask):
        losses = [
            -logits[i, j].log_softmax(-1)[labels[i, j]]
            for i in range(len(logits))
            for j in range(1, logits.shape[1])
            if mask[i, j]
        ]
        return sum(losses) / max(len(losses), 1)

    assert check("sequence_loss", one_word_late).kind == "wrong"


def test_a_complex_result_where_a_mistake_shows():
    def complex_(query, key, value):
        return torch.zeros(value.shape[1], dtype=torch.complex64)

    assert check("repair_pooling", complex_).kind == "contract"


def test_gradients_that_are_switched_off_are_missed():
    def switched(scores, mask):
        torch.set_grad_enabled(False)
        return masked_softmax(scores, mask).detach()

    verdict = check("masked_softmax", switched)
    assert verdict.kind == "gradient"
    assert torch.is_grad_enabled()


def test_no_gradient_is_left_in_a_students_module():
    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, scores, mask):
            return masked_softmax(scores * self.weight.to(scores), mask)

    module = Module()
    assert check("masked_softmax", module).passed
    assert module.weight.grad is None
