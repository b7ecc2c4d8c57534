"""`check` on functions that return several things: each is judged, and named when it is wrong."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch import nn

from attncourse.exercises import EXERCISES, check


def _shifted(target):
    return target[:, :-1], target[:, 1:], target[:, 1:] > 0


def _attended(*arguments):
    return EXERCISES["attention_step"].solution(*arguments)


def _counted(hypothesis, reference, n):
    return EXERCISES["clipped_precision"].solution(hypothesis, reference, n)


# -- passing ---------------------------------------------------------------------------------------


def test_all_things_right_pass_in_one_line():
    assert check("teacher_forcing", _shifted).message == (
        "Passed: teacher_forcing is right in all 5 cases."
    )
    assert check("attention_step", _attended).message == (
        "Passed: attention_step is right in all 8 cases, and so are its gradients."
    )
    search = check("beam_step", EXERCISES["beam_step"].solution)  # floating point, no gradient
    assert search.message == "Passed: beam_step is right in all 11 cases."


class Shifted(nn.Module):
    def forward(self, target):
        return _shifted(target)


@pytest.mark.parametrize(
    "thing",
    [
        Shifted(),
        Shifted().forward,
        functools.partial(lambda target, pad: _shifted(target), pad=0),
        lambda target: list(_shifted(target)),
        lambda *arguments: _shifted(*arguments),
    ],
    ids=["module", "method", "partial", "list", "starred"],
)
def test_what_returns_the_things_in_order_is_a_right_answer(thing):
    assert check("teacher_forcing", thing).passed


def test_numbers_may_be_numpys():
    def counted(hypothesis, reference, n):
        return tuple(map(np.int64, _counted(hypothesis, reference, n)))

    assert check("clipped_precision", counted).passed


def test_a_part_that_is_no_tensor_is_named():
    def listed(*arguments):
        context, weights = _attended(*arguments)
        return context, weights.tolist()

    message = check("attention_step", listed).message
    assert "as weights your function returns a list, not a tensor" in message


def test_numbers_may_come_as_tensors():
    assert check("clipped_precision", lambda *given: map_(torch.tensor, _counted(*given))).passed


def map_(function, values):
    return tuple(function(value) for value in values)


def test_a_remark_is_made_once():
    def looped(target):
        rows = [_shifted(row[None]) for row in target]
        print("a row")
        return tuple(torch.cat(column) for column in zip(*rows, strict=True))

    verdict = check("teacher_forcing", looped)
    assert verdict.passed
    assert verdict.message.count("it loops in Python over its input") == 1
    assert verdict.message.count("What your function prints") == 1


# -- the form of what comes back -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wrong", "says"),
    [
        (
            "teacher_forcing",
            lambda target: torch.stack(_shifted(target)),
            "returns one tensor, wanted 3: return decoder_input, labels, mask\n",
        ),
        ("teacher_forcing", lambda target: _shifted(target)[:2], "returns 2 values, wanted 3"),
        ("teacher_forcing", lambda target: _shifted(target)[:1], "returns 1 value, wanted 3"),
        ("teacher_forcing", lambda target: {}, "returns one dict, wanted 3"),
        (
            "clipped_precision",
            lambda hypothesis, reference, n: 0.5,
            "returns one float, wanted 2: return matches, total\n",
        ),
    ],
)
def test_another_number_of_things_is_told(name, wrong, says):
    verdict = check(name, wrong)
    assert verdict.kind == "contract"
    assert f"Not yet: your function {says}" in verdict.message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda read, labels, mask: (read.float(), labels, mask), "as decoder_input is float32"),
        (lambda read, labels, mask: (read, labels[:, 1:], mask), "as labels has shape (3, 5)"),
        (lambda read, labels, mask: (read, labels, mask.to("meta")), "as mask on meta"),
        (lambda read, labels, mask: (read, labels, mask.double()), "as mask is float64, wanted b"),
    ],
)
def test_the_thing_that_breaks_the_contract_is_named(change, says):
    verdict = check("teacher_forcing", lambda target: change(*_shifted(target)))
    assert verdict.kind == "contract"
    assert f"what you return {says}" in verdict.message


@pytest.mark.parametrize("thing", [None, ..., 7, torch.ones(2), nn.Linear])
def test_what_is_no_function_is_told_as_ever(thing):
    assert check("teacher_forcing", thing).kind in ("stub", "not a function")
    assert not check("teacher_forcing", thing)


def test_a_stub_is_called_by_its_own_name():
    def shift(target):
        return None

    message = check("teacher_forcing", shift).message
    assert message.startswith("Nothing to check yet: shift returns None.\nWanted: ")


def test_too_few_parameters_are_told_by_their_names():
    verdict = check("clipped_precision", lambda hypothesis, reference: (0, 0))
    assert verdict.kind == "signature"
    assert "takes (hypothesis, reference), but is called with (hyp" in verdict.message


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


# -- a wrong thing ---------------------------------------------------------------------------------


def test_a_wrong_thing_without_a_name_is_shown():
    def capped(target):
        read, labels, mask = _shifted(target)
        return read, labels.clamp(max=7), mask

    verdict = check("teacher_forcing", capped)
    assert verdict.kind == "wrong"
    assert "it first fails with a padded batch" in verdict.message
    assert "A small case that shows it in labels:\n" in verdict.message


def test_what_explains_all_things_is_named_before_what_explains_one():
    # Both give the decoder the target without its first column.
    same = check("teacher_forcing", lambda t: (t[:, 1:], t[:, 1:], t[:, 1:] != 0))
    turned = check("teacher_forcing", lambda t: (t[:, 1:], t[:, :-1], t[:, 1:] != 0))
    assert "nothing is shifted" in same.message
    assert "you shift the wrong way" in turned.message


def test_what_explains_one_thing_is_named_though_another_is_wrong_too():
    verdict = check("teacher_forcing", lambda t: (t[:, 1:], t[:, :-1] * 2, t[:, 1:] > 4))
    assert verdict.kind == "misconception"
    assert "A small case that shows it in decoder_input:\n" in verdict.message


def test_an_error_is_told_with_the_readers_line():
    def misspelt(target):
        shifted = target[:, :-1]
        return shifted, labels, shifted != 0

    verdict = check("teacher_forcing", misspelt)
    assert verdict.kind == "raised"
    assert "NameError" in verdict.message
    assert "line 3 of your function, `return shifted, labels" in verdict.message


def test_the_thing_that_is_cut_off_from_its_gradient_is_named():
    def cut(*arguments):
        context, weights = _attended(*arguments)
        return context, weights.detach()

    verdict = check("attention_step", cut)
    assert verdict.kind == "gradient"
    assert "the values of weights are right, but no gradient comes back" in verdict.message


# -- lists -----------------------------------------------------------------------------------------


def test_a_list_that_is_used_up_is_noticed_and_stays_as_it_was():
    def crossed_out(hypothesis, reference, n):
        matches = 0
        for word in hypothesis:
            if word in reference:
                reference.remove(word)
                matches += 1
        return matches, len(hypothesis)

    before = [case.given for case in EXERCISES["clipped_precision"].cases]
    kept = [{name: repr(value) for name, value in given.items()} for given in before]
    verdict = check("clipped_precision", crossed_out)
    assert verdict.kind == "contract"
    assert "changes its argument reference" in verdict.message
    assert kept == [{name: repr(value) for name, value in given.items()} for given in before]
    assert check("clipped_precision", _counted).passed
