"""What holds of every exercise: of its solution, misconceptions, cases, words and tests."""

from __future__ import annotations

import inspect
import math
from pathlib import Path

import pytest
import torch

import attncourse
from attncourse.exercises import EXERCISES, broken, check, hint, solution
from attncourse.exercises.judging.exercise import numbers

NAMES = sorted(EXERCISES)
MISTAKES = [
    pytest.param(exercise, idea, bug, id=f"{name}-{i}-{j}")
    for name, exercise in EXERCISES.items()
    for i, idea in enumerate(exercise.misconceptions)
    for j, bug in enumerate(idea.does)
]
REPAIRS = [name for name in NAMES if EXERCISES[name].broken]


@pytest.mark.parametrize("name", NAMES)
def test_every_solution_passes_without_a_remark(name):
    verdict = check(name, EXERCISES[name].solution)
    assert verdict.passed, verdict
    assert len(verdict.message.splitlines()) == 1, verdict


@pytest.mark.parametrize("name", NAMES)
def test_a_solution_runs_as_it_is_printed(name):
    space = {"torch": torch, "math": math, "attncourse": attncourse}
    exec(solution(name), space)
    called = EXERCISES[name].signature.split("(")[0]
    assert check(name, space[called]).passed
    assert len(solution(name).splitlines()) <= 10


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_that_computes_in_float64_changes_nothing(name):
    before = check(name, EXERCISES[name].solution)
    assert before.passed, before
    torch.set_default_dtype(torch.float64)
    try:
        assert check(name, EXERCISES[name].solution).message == before.message
        assert torch.get_default_dtype() is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(("exercise", "idea", "bug"), MISTAKES)
def test_every_misconception_is_named_as_itself(exercise, idea, bug):
    verdict = check(exercise.name, bug)
    assert verdict.kind == "misconception", verdict
    assert verdict.message.startswith(f"Not yet: {idea.says}.\n"), verdict


@pytest.mark.parametrize("name", NAMES)
def test_every_misconception_has_an_example_and_words_of_its_own(name):
    ideas = EXERCISES[name].misconceptions
    assert all(idea.does for idea in ideas)
    assert len({idea.says for idea in ideas}) == len(ideas)


@pytest.mark.parametrize("name", NAMES)
def test_every_exercise_has_a_hint_that_is_not_the_solution(name):
    assert 20 < len(hint(name)) < 300
    assert hint(name)[-1] in ".?"
    assert solution(name) not in hint(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_signature_is_the_solutions(name):
    exercise = EXERCISES[name]
    function = exercise.solution
    assert exercise.signature.startswith(f"{function.__name__}{inspect.signature(function)} -> ")
    wanted = tuple(inspect.signature(function).parameters)
    assert tuple(argument.name for argument in exercise.inputs) == wanted


@pytest.mark.parametrize("name", NAMES)
def test_the_sizes_are_different_primes(name):
    sizes = list(EXERCISES[name].sizes.values())
    assert set(sizes) <= {2, 3, 5, 7, 11}
    assert len(set(sizes)) == len(sizes)


@pytest.mark.parametrize("name", NAMES)
def test_with_more_leading_axes_no_length_is_there_twice(name):
    exercise = EXERCISES[name]
    for case in exercise.cases:
        if len(case.lead) > 1:
            lengths = [*case.lead, *{**exercise.sizes, **case.sizes}.values()]
            assert set(lengths) <= {2, 3, 5, 7, 11, 13, 17}
            assert len(set(lengths)) == len(lengths)


@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_drawn_as_the_case_says_and_twice_the_same(name):
    exercise = EXERCISES[name]
    for seed, case in enumerate(exercise.cases):
        drawn, again = exercise.arguments(case, seed), exercise.arguments(case, seed)
        for one, two in zip(drawn, again, strict=True):
            if not isinstance(one, torch.Tensor):
                continue
            assert torch.equal(one, two)
            if one.is_floating_point() and one.dim():
                assert one.dtype is case.dtype
            if case.strided and one.dim() > 1 and min(one.shape[-2:]) > 1:
                assert not one.is_contiguous()
    masks = [exercise.arguments(case, 0)[-1] for case in exercise.cases if case.mask == "empty row"]
    assert all(not mask.any(-1).all() and mask.any() for mask in masks)


@pytest.mark.parametrize("name", REPAIRS)
def test_a_broken_function_fails_with_its_fault_named(name):
    assert check(name, broken(name)).kind == "misconception"


@pytest.mark.parametrize("name", REPAIRS)
def test_a_broken_function_is_short_and_called_like_its_solution(name):
    assert len(inspect.getsource(broken(name)).splitlines()) <= 12
    assert broken(name).__name__ == EXERCISES[name].solution.__name__
    assert inspect.signature(broken(name)) == inspect.signature(EXERCISES[name].solution)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_in_memory_and_the_precision_vary(name):
    exercise = EXERCISES[name]
    if any(argument.draw is numbers for argument in exercise.inputs):
        assert any(case.strided for case in exercise.cases)
        dtypes = {torch.float32, torch.float64}
        if "labels" not in {argument.name for argument in exercise.inputs}:  # else it is a loss
            dtypes.add(torch.bfloat16)
        assert dtypes <= {case.dtype for case in exercise.cases}


@pytest.mark.parametrize("name", NAMES)
def test_an_exercise_stands_in_its_chapters_room_and_so_do_its_tests(name):
    exercise = EXERCISES[name]
    assert exercise.name == name
    assert inspect.getmodule(exercise.solution).__name__.endswith(f".ch{exercise.chapter}.{name}")
    assert (Path(__file__).parent / f"ch{exercise.chapter}" / f"test_{name}.py").is_file()


def test_chapters_06_to_12_each_have_a_bug_to_find():
    chapters = {EXERCISES[name].chapter for name in REPAIRS}
    assert {"06", "07", "08", "09", "10", "11", "12"} <= chapters
