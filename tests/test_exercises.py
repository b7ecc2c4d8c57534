"""The exercises themselves: their solutions, misconceptions and broken functions."""

from __future__ import annotations

import inspect
import math

import pytest
import torch
import torch.nn.functional as F

import attncourse
from attncourse import AdditiveScore, NadarayaWatson, attend, attention_weights
from attncourse.exercises import EXERCISES, broken, check, exercises, hint, solution

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


def test_the_listing_names_every_exercise_in_the_order_of_chapters():
    lines = exercises().splitlines()
    assert [line.split()[1].rstrip(":") for line in lines] == list(EXERCISES)
    assert [line[:2] for line in lines] == sorted(line[:2] for line in lines)


@pytest.mark.parametrize(
    "name", ["nadaraya_watson", "masked_softmax", "scaled_dot_product_attention", "additive_score"]
)
def test_the_cases_reach_every_corner(name):
    cases = EXERCISES[name].cases
    assert any(len(case.lead) > 1 for case in cases)
    assert any(case.strided for case in cases)
    assert {torch.float32, torch.float64, torch.bfloat16} <= {case.dtype for case in cases}
    assert any(max(case.scale.values(), default=1.0) >= 100 for case in cases)
    sizes = EXERCISES[name].sizes
    assert sizes["query"] != sizes["key"] != sizes.get("width")
    if "mask" in {argument.name for argument in EXERCISES[name].inputs}:
        assert {"random", "causal", "padding", "empty row"} <= {case.mask for case in cases}


@pytest.mark.parametrize("name", NAMES)
def test_with_more_leading_axes_no_length_is_there_twice(name):
    exercise = EXERCISES[name]
    for case in exercise.cases:
        if len(case.lead) > 1:
            lengths = [*case.lead, *{**exercise.sizes, **case.sizes}.values()]
            assert set(lengths) <= {2, 3, 5, 7, 11, 13, 17}
            assert len(set(lengths)) == len(lengths)


@pytest.mark.parametrize("name", ["masked_softmax", "scaled_dot_product_attention"])
def test_with_more_leading_axes_a_row_is_empty_in_one_map_only(name):
    exercise = EXERCISES[name]
    case = next(case for case in exercise.cases if len(case.lead) > 1)
    empty = ~exercise.arguments(case, 0)[-1].any(-1)
    assert empty.sum() == 1
    assert not empty.all(1).any()


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


# -- the broken functions --------------------------------------------------------------------------

FAULTS = {
    "repair_pooling": "your scores never see the query",
    "repair_translation": "the state is not expanded",
    "repair_summarisation": "your softmax runs over the batch",
    "repair_entities": "your softmax runs over the sentences",
    "repair_classification": "channels meet positions",
    "repair_detection": "all boxes get one vector",
    "repair_generation": "the sum over the positions leaves no map",
    "symmetric_attention": "query and key are the input itself",
    "padded_heads": "the mask lies along the queries",
    "positions_from_zero": "every call counts from 0",
    "encoder_block": "the residual starts from the normalised input",
    "leaking_decoder": "the future is hidden in training only",
    "stepped_training": "the losses of an update's batches are added up",
    "stepping_decoder": "every token stands at position 0",
}


def test_every_repair_is_in_the_table_of_faults():
    assert sorted(FAULTS) == REPAIRS


@pytest.mark.parametrize("name", REPAIRS)
def test_a_broken_function_fails_with_its_fault_named(name):
    verdict = check(name, broken(name))
    assert verdict.kind == "misconception"
    assert verdict.message.startswith(f"Not yet: {FAULTS[name]}")


@pytest.mark.parametrize("name", ["repair_translation", "repair_classification"])
def test_the_error_of_a_broken_function_is_told_without_torchs_words(name):
    # The book stores these verdicts, and the words change from version to version.
    message = check(name, broken(name)).message
    assert " it raises RuntimeError in line " in message
    assert "xpected" not in message


@pytest.mark.parametrize("name", REPAIRS)
def test_a_broken_function_is_short_and_called_like_its_solution(name):
    assert len(inspect.getsource(broken(name)).splitlines()) <= 12
    assert broken(name).__name__ == EXERCISES[name].solution.__name__
    assert inspect.signature(broken(name)) == inspect.signature(EXERCISES[name].solution)


def test_translation_raises_unless_the_source_is_one_token():
    fails, runs = torch.ones(5, 3, 2), torch.ones(1, 3, 2)
    others = torch.ones(7, 4), torch.ones(7)
    with pytest.raises(RuntimeError):
        broken("repair_translation")(torch.ones(1, 3, 2), fails, *others)
    assert broken("repair_translation")(torch.ones(1, 3, 2), runs, *others).shape == (1, 1, 2)


def test_a_tanh_outermost_cannot_change_the_order_of_the_keys():
    # The state adds w_s . s to every key's score, and tanh is increasing.
    encoded, matrix = torch.randn(5, 3, dtype=torch.float64), torch.randn(7, 6).double()
    vector, states = torch.randn(7).double(), torch.randn(100, 3).double()
    pairs = torch.cat([states[:, None].expand(-1, 5, -1), encoded.expand(100, -1, -1)], dim=-1)
    outermost = torch.tanh(pairs @ matrix.mT @ vector / 100).argsort(-1)
    inside = (torch.tanh(pairs @ matrix.mT) @ vector).argsort(-1)
    assert (outermost == outermost[0]).all()
    assert not (inside == inside[0]).all()


def test_classification_runs_only_with_as_many_positions_as_channels_and_then_sums():
    query, lucky = torch.randn(2, 6), torch.randn(2, 6, 2, 3)
    torch.testing.assert_close(broken("repair_classification")(query, lucky), lucky.sum((2, 3)))
    with pytest.raises(RuntimeError):
        broken("repair_classification")(query, torch.randn(2, 6, 2, 5))


def test_one_sentence_reads_another_in_the_broken_tagger():
    encoded, vector = torch.randn(5, 3, 2), torch.randn(2)
    other = torch.cat([encoded[:, :2], encoded[:, 2:] + 1], dim=1)
    tag, mended = broken("repair_entities"), EXERCISES["repair_entities"].solution
    assert tag(encoded, vector).shape == (5, 2)
    assert not torch.allclose(tag(encoded, vector), tag(other, vector))
    assert torch.equal(mended(encoded, vector)[:, :2], mended(other, vector)[:, :2])


def test_every_box_gets_the_same_in_the_broken_detector():
    found = broken("repair_detection")(torch.randn(2, 7, 5), torch.randn(2, 5, 3, 3))
    assert (found == found[:, :1]).all()


def test_the_broken_generator_leaves_a_map_of_one_by_one():
    assert broken("repair_generation")(torch.randn(2, 5, 3, 7)).shape == (2, 5, 1, 1)


# -- the solutions against other implementations ---------------------------------------------------


def _solve(name, *arguments):
    return EXERCISES[name].solution(*arguments)


def _normal(*shape):
    return torch.randn(shape, dtype=torch.float64)


def test_a_lookup_is_attention_with_one_query():
    query, key, value = _normal(3), _normal(5, 3), _normal(5, 2)
    for name in ("soft_lookup", "repair_pooling"):
        want = attend(query[None], key, value, scale=1.0)[0]
        torch.testing.assert_close(_solve(name, query, key, value), want)


def test_kernel_regression_agrees_with_the_packages():
    query, key, value = _normal(2, 5, 3), _normal(2, 7, 3), _normal(2, 7, 2)
    got = _solve("nadaraya_watson", query, key, value, 0.7)
    model = NadarayaWatson(bandwidth=0.7).double()
    torch.testing.assert_close(got, model(query, key, value), rtol=1e-6, atol=1e-6)


def test_leave_one_out_of_three_points():
    want = torch.tensor([[False, True, True], [True, False, True], [True, True, False]])
    assert torch.equal(_solve("leave_one_out", 3), want)


def test_softmax_and_attention_agree_with_torchs_kernel():
    query, key, value = _normal(2, 5, 3), _normal(2, 7, 3), _normal(2, 7, 11)
    mask = torch.rand(2, 5, 7) < 0.5
    mask[0, 0] = False
    want = F.scaled_dot_product_attention(query, key, value, mask)
    got = _solve("scaled_dot_product_attention", query, key, value, mask)
    torch.testing.assert_close(got, want)
    weights = _solve("masked_softmax", query @ key.mT / 3**0.5, mask)
    torch.testing.assert_close(weights @ value, want)


def test_the_additive_score_agrees_with_the_packages():
    score = AdditiveScore(query_dim=3, key_dim=2, hidden_dim=11).double()
    weights = (score.query_projection.weight, score.key_projection.weight, score.output.weight[0])
    query, key = _normal(2, 5, 3), _normal(2, 7, 2)
    got = _solve("additive_score", query, key, *weights)
    torch.testing.assert_close(got, score(query, key))


def test_the_decoders_context_is_additive_attention():
    state, encoded, matrix, vector = _normal(1, 3, 2), _normal(5, 3, 2), _normal(7, 4), _normal(7)
    score = AdditiveScore(query_dim=2, key_dim=2, hidden_dim=7).double()
    with torch.no_grad():
        score.query_projection.weight.copy_(matrix[:, :2])
        score.key_projection.weight.copy_(matrix[:, 2:])
        score.output.weight.copy_(vector[None])
    query, key = state.transpose(0, 1), encoded.transpose(0, 1)
    want = attend(query, key, key, score=score).transpose(0, 1)
    arguments = state, encoded, matrix, vector
    torch.testing.assert_close(_solve("repair_translation", *arguments), want)

    mask = attncourse.padding_mask(torch.tensor([5, 1, 3]))
    want = attend(query, key, key, mask[:, None], score=score).transpose(0, 1)
    torch.testing.assert_close(_solve("repair_summarisation", *arguments, mask), want)


def test_each_token_reads_its_own_sentence():
    encoded, vector = _normal(5, 3, 2), _normal(2)
    got = _solve("repair_entities", encoded, vector)
    for token in range(5):
        for sentence in range(3):
            rows = encoded[:, sentence]
            weights = (torch.tanh(encoded[token, sentence] + rows) @ vector).softmax(0)
            torch.testing.assert_close(got[token, sentence], weights @ rows)


def test_an_image_is_a_set_of_positions():
    query, features = _normal(2, 7, 5), _normal(2, 5, 3, 11)
    spots = features.permute(0, 2, 3, 1).reshape(2, 33, 5)
    want = attend(query, spots, spots)
    torch.testing.assert_close(_solve("repair_detection", query, features), want)
    one = _solve("repair_classification", query[:, 0], features)
    torch.testing.assert_close(one, want[:, 0])
    mixed = attention_weights(spots, spots) @ spots
    want = mixed.reshape(2, 3, 11, 5).permute(0, 3, 1, 2)
    torch.testing.assert_close(_solve("repair_generation", features), want)
