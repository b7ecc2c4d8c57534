"""Kernels, and Nadaraya-Watson regression as attention."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import (
    BATCH,
    COMPILES,
    DTYPES,
    HEADS,
    KEYS,
    QUERIES,
    TOLERANCE,
    VALUE_WIDTH,
    allowed_pairs,
    cases,
    refused,
    some_mask,
    tensors,
)

from attncourse import NadarayaWatson, attend, attention_weights, record_attention
from attncourse.kernels import KERNELS, log_kernel

EVERY_KERNEL = pytest.mark.parametrize("kernel", KERNELS)
COMPACT = pytest.mark.parametrize("kernel", ["epanechnikov", "triangular", "boxcar"])


def closed_form(kernel: str, u: float) -> float:
    """A kernel up to a factor, by its definition."""
    return {
        "gaussian": math.exp(-u * u / 2),
        "epanechnikov": 1 - u * u if u < 1 else 0,
        "triangular": 1 - u if u < 1 else 0,
        "boxcar": 1 if u <= 1 else 0,
        "constant": 1,
    }[kernel]


def column(*numbers: float) -> torch.Tensor:
    """Points or values of width one, (point, 1), in float64."""
    return torch.tensor(numbers, dtype=torch.float64)[:, None]


# Kernels


def test_the_kernels_at_half_a_bandwidth():
    # e^(-1/8), 1 - 1/4, 1 - 1/2, 1, 1
    half = torch.tensor(0.5, dtype=torch.float64)
    values = {kernel: log_kernel(half, kernel).exp().item() for kernel in KERNELS}
    assert values == pytest.approx(
        {
            "gaussian": 0.8824969025845955,
            "epanechnikov": 0.75,
            "triangular": 0.5,
            "boxcar": 1.0,
            "constant": 1.0,
        },
        rel=1e-12,
    )


@EVERY_KERNEL
@pytest.mark.parametrize("u", [0.0, 0.1, 0.5, 0.99, 1.01, 2.0, 20.0])
def test_a_kernel_follows_its_closed_form(kernel, u):
    found = log_kernel(torch.tensor(u, dtype=torch.float64), kernel).exp().item()
    assert found == pytest.approx(closed_form(kernel, u), rel=1e-12, abs=0)


def test_at_one_bandwidth_only_the_boxcar_still_reaches():
    one = torch.ones((), dtype=torch.float64)
    assert log_kernel(one, "boxcar").item() == 0
    assert log_kernel(one, "epanechnikov").item() == -math.inf
    assert log_kernel(one, "triangular").item() == -math.inf


@EVERY_KERNEL
def test_every_kernel_is_one_at_the_point_itself(kernel):
    assert log_kernel(torch.zeros(()), kernel).item() == 0


@EVERY_KERNEL
@pytest.mark.parametrize("u", [0.0, 0.5, 1.0, 2.0])
def test_the_gradient_of_a_kernel_is_finite_everywhere(kernel, u):
    distance = torch.tensor([u], requires_grad=True)
    log_kernel(distance, kernel).exp().sum().backward()
    assert distance.grad.isfinite().all()


@given(st.floats(0, 50), st.floats(0, 50))
def test_no_kernel_grows_with_the_distance(near, far):
    near, far = sorted((near, far))
    for kernel in KERNELS:
        pair = log_kernel(torch.tensor([near, far], dtype=torch.float64), kernel)
        assert pair[0] >= pair[1]


@DTYPES
@EVERY_KERNEL
def test_a_kernel_keeps_shape_and_dtype(kernel, dtype):
    logarithm = log_kernel(torch.rand(QUERIES, KEYS).to(dtype), kernel)
    assert logarithm.shape == (QUERIES, KEYS)
    assert logarithm.dtype == dtype


def test_an_unknown_kernel_is_refused(own_errors):
    for make in (NadarayaWatson, lambda kernel: log_kernel(torch.zeros(3), kernel)):
        with refused(ValueError, "kernel", "'epanechnikof'", "gaussian", "epanechnikov", "boxcar"):
            make("epanechnikof")
        with refused(ValueError, "kernel", "0.5"):
            make(0.5)


@EVERY_KERNEL
def test_a_distance_that_is_no_floating_point_tensor_is_refused(own_errors, kernel):
    with refused(TypeError, "distance", "floating-point tensor", "float"):
        log_kernel(0.5, kernel)
    with refused(TypeError, "distance", "floating-point tensor", "torch.int64"):
        log_kernel(torch.ones(3, dtype=torch.long), kernel)


# Nadaraya-Watson: answers by hand


def test_a_gaussian_average_by_hand():
    # distances 0 and sqrt(2 ln 2): kernels 1 and 1/2, weights 2/3 and 1/3; 2/3 * 3 + 1/3 * 9 = 5
    x = column(0.0, math.sqrt(2 * math.log(2)))
    assert NadarayaWatson()(column(0.0), x, column(3, 9)).item() == pytest.approx(5, rel=1e-12)


def test_the_bandwidth_is_the_unit_of_distance():
    # ten times the distances at ten times the bandwidth: 5 again
    x = column(0.0, 10 * math.sqrt(2 * math.log(2)))
    model = NadarayaWatson(bandwidth=10.0)
    assert model(column(0.0), x, column(3, 9)).item() == pytest.approx(5, rel=1e-6)
    assert model.bandwidth.item() == pytest.approx(10, rel=1e-6)


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        # kernels of the distances 0.5, 0.25, 1.5 at bandwidth 1
        ("epanechnikov", (0.75 * 2 + 0.9375 * 4) / (0.75 + 0.9375)),
        ("triangular", (0.5 * 2 + 0.75 * 4) / (0.5 + 0.75)),
        ("boxcar", (2 + 4) / 2),
        ("constant", (2 + 4 + 9) / 3),
    ],
)
def test_the_other_kernels_by_hand(kernel, expected):
    model = NadarayaWatson(kernel)
    output = model(column(0.0), column(-0.5, 0.25, 1.5), column(2, 4, 9))
    assert output.item() == pytest.approx(expected, rel=1e-12)


@EVERY_KERNEL
def test_it_is_the_quotient_of_two_sums(kernel, device):
    query, key, value = tensors(BATCH, HEADS, device=device)
    query, key = query / 3, key / 3  # distances around 1.6, some within a bandwidth of 1.5
    expected = torch.zeros(BATCH, HEADS, QUERIES, VALUE_WIDTH, dtype=torch.float64)
    for b, h, i in torch.cartesian_prod(*map(torch.arange, expected.shape[:-1])).tolist():
        distances = [math.dist(query[b, h, i], key[b, h, j]) for j in range(KEYS)]
        kernels = [closed_form(kernel, distance / 1.5) for distance in distances]
        if sum(kernels):
            parts = [k * value[b, h, j].cpu() for j, k in enumerate(kernels)]
            expected[b, h, i] = sum(parts) / sum(kernels)
    output = NadarayaWatson(kernel, bandwidth=1.5).to(device)(query, key, value)
    # the bandwidth is a float32
    torch.testing.assert_close(output.cpu(), expected, rtol=1e-5, atol=1e-6)


def test_a_constant_kernel_gives_the_plain_mean():
    query, key, value = tensors(BATCH)
    mean = value.mean(-2, keepdim=True).expand(-1, QUERIES, -1)
    torch.testing.assert_close(NadarayaWatson("constant")(query, key, value), mean)


@COMPACT
def test_beyond_the_reach_of_every_kernel_there_is_zero_and_not_nan(kernel):
    query, key, value = (column(50.0, 0.0), column(-0.5, 0.25), column(2, 4))
    inputs = [tensor.requires_grad_() for tensor in (query, key, value)]
    model = NadarayaWatson(kernel, learnable=True)
    output = model(*inputs)
    assert output[0].item() == 0
    assert output[1].item() != 0
    gradients = torch.autograd.grad(output.sum(), (*inputs, model.log_bandwidth))
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert gradients[0][0].item() == 0


@pytest.mark.parametrize("place", ["query", "key"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_nan_shows(kernel, place):
    """Kind: NaN hidden."""
    inputs = {"query": column(0.0, 0.5), "key": column(0.0, 0.5, 1.0)}
    inputs[place][0] = math.nan
    output = NadarayaWatson(kernel)(**inputs, value=column(2, 4, 6))
    assert output[0].isnan()
    assert output[1].isnan() == (place == "key")


def test_a_gaussian_reaches_everywhere():
    # far away, the nearest point decides; e^(-50^2/2) alone would be 0 in float32
    x = torch.tensor([[0.0], [1.0]])
    output = NadarayaWatson()(torch.tensor([[50.0]]), x, torch.tensor([[2.0], [4.0]]))
    assert output.item() == pytest.approx(4)


@EVERY_KERNEL
def test_gradients_at_distance_zero_are_finite(kernel):
    x = column(0.0, 0.3, 0.7).requires_grad_()
    model = NadarayaWatson(kernel, learnable=True)
    output = model(x, x, column(2, 4, 9))
    for gradient in torch.autograd.grad(output.sum(), (x, model.log_bandwidth)):
        assert gradient.isfinite().all()


# The theorem that links kernels to the dot product


@pytest.mark.parametrize("bandwidth", [0.5, 1.0, 2.0])
def test_with_keys_of_equal_norm_the_gaussian_kernel_is_softmax_attention(bandwidth):
    # |q - k|^2 = |q|^2 + |k|^2 - 2 q.k, and the first two are the same for every key: they cancel,
    # and -|q - k|^2 / 2h^2 leaves q.k / h^2. Powers of two, so that float32 holds the bandwidth.
    query, key, value = tensors(BATCH, HEADS)
    key = 3 * key / key.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(
        NadarayaWatson("gaussian", bandwidth)(query, key, value),
        attend(query, key, value, scale=1 / bandwidth**2),
        rtol=1e-6,
        atol=1e-6,
    )


def test_with_keys_of_different_norms_they_differ():
    query, key, value = tensors(BATCH, HEADS)
    difference = NadarayaWatson()(query, key, value) - attend(query, key, value, scale=1.0)
    assert difference.abs().max() > 0.1


def test_the_log_kernel_is_the_score():
    query, key, value = tensors(BATCH)
    model = NadarayaWatson("triangular", bandwidth=5.0)
    scores = log_kernel(torch.cdist(query, key) / 5, "triangular")
    torch.testing.assert_close(
        model.score(query, key), scores, check_dtype=False, rtol=1e-5, atol=1e-5
    )
    assert torch.equal(model(query, key, value), attend(query, key, value, score=model.score))


# The bandwidth as a parameter


def test_the_bandwidth_gets_the_gradient_of_the_closed_form():
    # With a = d^2 / 2h^2, weights w = softmax(-a): d w_i / d ln h = 2 w_i (a_i - sum_j w_j a_j),
    # since d(-a) / d ln h = 2a.
    query, x, y = column(0.2), column(0.0, 1.0, 3.0), column(2, 4, 9)
    h = 0.5
    a = [(0.2 - k) ** 2 / (2 * h * h) for k in (0.0, 1.0, 3.0)]
    w = [math.exp(-each) / sum(math.exp(-other) for other in a) for each in a]
    mean = sum(wi * ai for wi, ai in zip(w, a, strict=True))
    slope = sum(2 * wi * (ai - mean) * yi for wi, ai, yi in zip(w, a, (2, 4, 9), strict=True))
    model = NadarayaWatson(bandwidth=h, learnable=True)
    model(query, x, y).sum().backward()
    assert model.log_bandwidth.grad.item() == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("kernel", ["gaussian", "epanechnikov", "triangular"])
def test_all_gradients_are_those_of_finite_differences(kernel):
    query, key, value = tensors(BATCH)
    # shrunk into reach of a bandwidth of one, and away from its edge
    inputs = [(query / 20).requires_grad_(), (key / 20).requires_grad_(), value.requires_grad_()]
    model = NadarayaWatson(kernel, learnable=True).double()

    def output(log_bandwidth, *inputs):
        return torch.func.functional_call(model, {"log_bandwidth": log_bandwidth}, inputs)

    assert torch.autograd.gradcheck(output, (model.log_bandwidth, *inputs))


def test_a_bandwidth_is_learned_only_on_request():
    fixed, learned = NadarayaWatson(), NadarayaWatson(learnable=True)
    assert [p for p in fixed.parameters() if p.requires_grad] == []
    assert len([p for p in learned.parameters() if p.requires_grad]) == 1


@pytest.mark.parametrize("kernel", ["boxcar", "constant"])
def test_the_bandwidth_of_a_flat_kernel_has_a_gradient_of_zero(kernel):
    model = NadarayaWatson(kernel, learnable=True)
    model(column(0.2), column(0.0, 1.0, 3.0), column(2, 4, 9)).sum().backward()
    assert model.log_bandwidth.grad.item() == 0


def test_a_learned_bandwidth_stays_positive():
    model = NadarayaWatson(bandwidth=0.1, learnable=True)
    with torch.no_grad():
        model.log_bandwidth -= 10
    assert model.bandwidth.item() > 0


def test_without_the_own_point_the_width_that_predicts_best_is_found():
    x = torch.linspace(0, 5, 41, dtype=torch.float64)[:, None]
    y = x.sin() + 0.2 * torch.randn(41, 1, dtype=torch.float64)
    others = ~torch.eye(41, dtype=torch.bool)

    def width_after_training(mask) -> float:
        model = NadarayaWatson(learnable=True)
        optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
        for _ in range(120):
            optimiser.zero_grad()
            (model(x, x, y, mask) - y).square().mean().backward()
            optimiser.step()
        return model.bandwidth.item()

    assert width_after_training(None) < 0.06  # collapses onto each point itself, and would go on
    assert 0.1 < width_after_training(others) < 0.6


# Dtypes, masks, recording, compiling


@DTYPES
@EVERY_KERNEL
def test_the_output_keeps_dtype_and_device(kernel, dtype, device):
    query, key, value = tensors(BATCH, dtype=dtype, device=device)
    query, key = query / 8, key / 8
    output = NadarayaWatson(kernel, 2.0).to(device)(query, key, value)
    assert output.dtype == dtype
    assert output.device == query.device
    exact = NadarayaWatson(kernel, 2.0)(*(t.cpu().double() for t in (query, key, value)))
    torch.testing.assert_close(
        output.cpu().double(), exact, rtol=0, atol=3 * TOLERANCE[dtype] + 1e-6
    )


@given(cases(), st.sampled_from(sorted(KERNELS)))
def test_what_a_masked_point_holds_changes_nothing(case, kernel):
    hidden = ~case.mask.any(-2)
    key = case.key.masked_fill(hidden[..., None], 1e100)
    value = case.value.masked_fill(hidden[..., None], -1e100)
    model = NadarayaWatson(kernel, bandwidth=4.0)
    before = model(*case)
    after = model(case.query, key, value, case.mask)
    assert torch.equal(before, after)
    assert before.isfinite().all()


def test_the_mask_leaves_points_out():
    x, y = column(0.0, 0.1, 0.2), column(2, 4, 9)
    output = NadarayaWatson("constant")(x, x, y, ~torch.eye(3, dtype=torch.bool))
    # each point is predicted by the mean of the two others
    torch.testing.assert_close(output, column(6.5, 5.5, 3.0))


def test_its_weights_are_recorded():
    query, key, value = tensors(BATCH)
    mask = some_mask(QUERIES, KEYS)
    model = NadarayaWatson("epanechnikov", bandwidth=6.0)
    with record_attention(model) as maps:
        output = model(query, key, value, mask)
    assert torch.equal(maps[""][:, 0], attention_weights(query, key, mask, score=model.score))
    assert (maps[""][:, 0][~allowed_pairs(QUERIES, KEYS, mask).expand(BATCH, -1, -1)] == 0).all()
    torch.testing.assert_close(output, model(query, key, value, mask))


@COMPILES
@EVERY_KERNEL
def test_it_compiles_in_one_graph(kernel):
    inputs = *tensors(BATCH), some_mask(QUERIES, KEYS)
    model = NadarayaWatson(kernel, bandwidth=6.0, learnable=True)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(*inputs), model(*inputs))


def test_it_can_be_saved_copied_and_printed():
    model = NadarayaWatson("triangular", bandwidth=0.5, learnable=True)
    x, y = column(0.0, 0.2), column(2, 4)
    other = NadarayaWatson("triangular", learnable=True)
    other.load_state_dict(model.state_dict())
    for again in (other, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(again(x, x, y), model(x, x, y))
    assert repr(model) == "NadarayaWatson(kernel='triangular', bandwidth=0.5, learnable=True)"


# Bad input


@pytest.mark.parametrize("bandwidth", [0, 0.0, -1.0, math.nan, math.inf, -math.inf])
def test_a_bandwidth_that_is_not_positive_and_finite_is_refused(own_errors, bandwidth):
    with refused(ValueError, "bandwidth", "positive", str(bandwidth)):
        NadarayaWatson(bandwidth=bandwidth)


@pytest.mark.parametrize(
    ("name", "tensor", "error", "words"),
    [
        ("query", [1.0], TypeError, ("tensor", "list")),
        ("key", [1.0], TypeError, ("tensor", "list")),
        ("value", [1.0], TypeError, ("tensor", "list")),
        ("query", torch.ones(5, 3).long(), TypeError, ("floating point", "torch.int64")),
        ("query", torch.ones(5), ValueError, ("(..., length, width)", "(5,)")),
        ("key", torch.ones(7), ValueError, ("(..., length, width)", "(7,)")),
        ("value", torch.ones(7), ValueError, ("(..., length, width)", "(7,)")),
        ("key", torch.ones(7, 2), ValueError, ("query", "width", "3 and 2")),
        ("key", torch.ones(2, 7, 3), ValueError, ("query", "leading axes", "(5, 3) and (2, 7, 3)")),
        ("value", torch.ones(2, 7, 2), ValueError, ("key", "leading axes", "(7, 3) and (2, 7, 2)")),
        ("value", torch.ones(5, 2), ValueError, ("key", "length", "7 and 5")),
        ("key", torch.ones(7, 3).double(), TypeError, ("query", "dtype", "torch.float64")),
        ("value", torch.ones(7, 2).double(), TypeError, ("query", "dtype", "torch.float64")),
        ("mask", torch.ones(5, 7), TypeError, ("boolean", "torch.float32")),
        ("mask", torch.ones(7, 5).bool(), ValueError, ("(7, 5)", "(5, 7)")),
        ("mask", torch.ones(2, 5, 7).bool(), ValueError, ("(2, 5, 7)", "(5, 7)")),
    ],
    ids=lambda part: part if isinstance(part, str) else None,
)
@pytest.mark.parametrize("recording", [False, True], ids=["", "recording"])
def test_inputs_that_do_not_fit_are_refused(own_errors, name, tensor, error, words, recording):
    inputs = {"query": torch.ones(5, 3), "key": torch.ones(7, 3), "value": torch.ones(7, 2)}
    model = NadarayaWatson()
    with refused(error, name, *words):
        if recording:
            with record_attention(model):
                model(**inputs | {name: tensor})
        else:
            model(**inputs | {name: tensor})


@pytest.mark.parametrize("bandwidth", [0.1, 0.2, 0.3, 0.7])
def test_a_fixed_bandwidth_is_the_number_given_to_the_last_digit(bandwidth):
    model = NadarayaWatson("boxcar", bandwidth)
    ends = torch.tensor([[bandwidth]], dtype=torch.float64)
    here, there = torch.zeros(1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    assert model.bandwidth.item() == bandwidth
    assert model(here, ends, there).item() == 1  # the boxcar reaches u <= 1
    assert not list(model.parameters())


def test_a_layer_without_data_can_be_printed():
    assert "bandwidth=2" in repr(NadarayaWatson(bandwidth=2.0).to("meta"))
    assert "bandwidth=?" in repr(NadarayaWatson(learnable=True).to("meta"))


@pytest.mark.parametrize("bandwidth", ["1", None, True, torch.ones(2)])
def test_a_bandwidth_that_is_no_number_is_refused(own_errors, bandwidth):
    with refused(TypeError, "bandwidth", "number", type(bandwidth).__name__):
        NadarayaWatson(bandwidth=bandwidth)


@pytest.mark.parametrize("kernel", [[], None, 3])
def test_a_kernel_that_is_no_name_is_refused(own_errors, kernel):
    with refused(ValueError, "kernel", "gaussian", repr(kernel)):
        NadarayaWatson(kernel)


# The range of a dtype


def test_in_float16_a_query_far_away_still_has_a_nearest_key():
    # u = 400 and 402: half the squares are 80,000 and 80,802, which float16 has not
    query, key, value = (
        torch.tensor(x).half() for x in ([[0.0]], [[400.0], [402.0]], [[3.0], [5.0]])
    )
    output = NadarayaWatson()(query, key, value)
    assert output.dtype == torch.float16
    assert output.item() == 3
    learned = NadarayaWatson(learnable=True).half()
    learned(query, key, value).sum().backward()
    assert learned.log_bandwidth.grad.isfinite()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("content", [1e30, -1e20, 3.4e38])
def test_a_masked_key_far_away_leaves_finite_gradients(kernel, content):
    query = torch.tensor([[0.0, 0.0], [0.5, 0.0]])
    value = torch.tensor([[3.0], [5.0], [7.0]])
    mask = torch.tensor([True, True, False])
    model = NadarayaWatson(kernel, learnable=True)
    found = []
    for far in (0.0, content):
        key = torch.tensor([[0.25, 0.0], [0.75, 0.0], [far, far]], requires_grad=True)
        output = model(query, key, value, mask)
        gradients = torch.autograd.grad(output.square().sum(), (key, model.log_bandwidth))
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert not gradients[0][2].any()
        found.append((output, *gradients))
    for before, after in zip(*found, strict=True):
        assert torch.equal(before, after)
