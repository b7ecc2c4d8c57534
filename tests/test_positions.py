"""attncourse.positions: sinusoidal, learned and rotary, by hand and against other libraries."""

from __future__ import annotations

import copy
import math
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from references import sines_then_cosines
from support import COMPILES, DTYPES, TOLERANCE, refused
from torch._subclasses.fake_tensor import FakeTensorMode

from attncourse.positions import LearnedPositions, RotaryPositions, SinusoidalPositions

BATCH, LENGTH, WIDTH = 2, 7, 10
CLOSE = {"rtol": 0, "atol": 1e-12}  # between two correct computations in float64

KINDS = {
    "sinusoidal": lambda: SinusoidalPositions(WIDTH),
    "learned": lambda: LearnedPositions(max_len=31, embed_dim=WIDTH).double(),
    "rotary": lambda: RotaryPositions(WIDTH),
}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


def tokens(length: int = LENGTH, batch: int = BATCH, width: int = WIDTH) -> torch.Tensor:
    return torch.randn(batch, length, width, dtype=torch.float64)


def angle(position: int, pair: int, width: int, base: float = 10_000.0) -> float:
    return position / base ** (2 * pair / width)


# Answers by hand


def test_the_first_code_is_zeros_and_ones_and_the_second_turns():
    # width 4: the waves are t and t / 100
    code = SinusoidalPositions(4).code(3, dtype=torch.float64)
    by_hand = [
        [0, 1, 0, 1],
        [math.sin(1), math.cos(1), math.sin(0.01), math.cos(0.01)],
        [math.sin(2), math.cos(2), math.sin(0.02), math.cos(0.02)],
    ]
    torch.testing.assert_close(code, torch.tensor(by_hand, dtype=torch.float64), **CLOSE)


def test_the_base_sets_the_slowest_wave():
    # width 4, base 16: the second wave is t / 4
    code = SinusoidalPositions(4, base=16.0).code(1, offset=2, dtype=torch.float64)
    assert code[0, 2:].tolist() == pytest.approx([math.sin(0.5), math.cos(0.5)])


def test_positions_are_added_to_every_sentence_alike():
    positions, x = SinusoidalPositions(WIDTH), tokens()
    added = positions(x) - x
    torch.testing.assert_close(added[0], added[1], **CLOSE)
    torch.testing.assert_close(added[0], positions.code(LENGTH, dtype=torch.float64), **CLOSE)


def test_learned_positions_are_rows_of_a_table():
    positions = LearnedPositions(max_len=3, embed_dim=2)
    with torch.no_grad():
        positions.weight.copy_(torch.tensor([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]]))
    x = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    assert positions(x).tolist() == [[[11, 22], [33, 44]]]
    assert positions(x, 1).tolist() == [[[31, 42], [53, 64]]]


def test_rotary_positions_turn_each_pair_of_neighbours():
    # base 4, width 4: the first pair turns by t, the second by t / 2; here t is 1
    rotary = RotaryPositions(4, base=4.0)
    turned = rotary(torch.tensor([[1.0, 0.0, 0.0, 1.0]], dtype=torch.float64), 1)
    by_hand = [[math.cos(1), math.sin(1), -math.sin(0.5), math.cos(0.5)]]
    torch.testing.assert_close(turned, torch.tensor(by_hand, dtype=torch.float64), **CLOSE)


def test_the_first_token_is_not_turned():
    x = tokens()
    assert torch.equal(RotaryPositions(WIDTH)(x)[:, 0], x[:, 0])


# The formulas, as loops


@pytest.mark.parametrize("base", [10_000.0, 7.0, 500_000.0])
@pytest.mark.parametrize("offset", [0, 5])
def test_the_sinusoidal_code_is_a_loop_over_positions_and_waves(base, offset):
    code = SinusoidalPositions(WIDTH, base=base).code(LENGTH, offset, dtype=torch.float64)
    for t in range(LENGTH):
        for i in range(WIDTH // 2):
            wave = angle(t + offset, i, WIDTH, base)
            assert code[t, 2 * i].item() == pytest.approx(math.sin(wave), abs=1e-13)
            assert code[t, 2 * i + 1].item() == pytest.approx(math.cos(wave), abs=1e-13)


@pytest.mark.parametrize("base", [10_000.0, 7.0])
@pytest.mark.parametrize("offset", [0, 5])
def test_rotary_positions_are_a_loop_over_complex_numbers(base, offset):
    x = tokens()
    turned = RotaryPositions(WIDTH, base=base)(x, offset)
    for t in range(LENGTH):
        for i in range(WIDTH // 2):
            wave = angle(t + offset, i, WIDTH, base)
            point = torch.complex(x[:, t, 2 * i], x[:, t, 2 * i + 1])
            point = point * complex(math.cos(wave), math.sin(wave))
            torch.testing.assert_close(turned[:, t, 2 * i], point.real, **CLOSE)
            torch.testing.assert_close(turned[:, t, 2 * i + 1], point.imag, **CLOSE)


# Other libraries


@pytest.mark.equals(
    "positions.SinusoidalPositions",
    "transformers.models.marian.modeling_marian.MarianSinusoidalPositionalEmbedding",
    within={torch.float64: 1e-12, torch.float32: 1e-6},
)
def test_the_code_is_marians_with_the_columns_in_another_order(hugging_face, same):
    # there the sines stand first, then the cosines; in float32
    marian = hugging_face.models.marian.modeling_marian
    table = marian.MarianSinusoidalPositionalEmbedding(31, WIDTH).create_weight()
    code = SinusoidalPositions(WIDTH).code(31)
    same(torch.cat([code[:, ::2], code[:, 1::2]], 1), table)
    # and in float64, by its formula
    code = SinusoidalPositions(WIDTH).code(31, dtype=torch.float64)
    same(torch.cat([code[:, ::2], code[:, 1::2]], 1), sines_then_cosines(31, WIDTH))


@pytest.mark.equals(
    "positions.SinusoidalPositions",
    "d2l.torch.PositionalEncoding",
    within={torch.float32: 1e-5},
)
def test_the_code_is_d2ls(d2l, same):
    x = torch.zeros(1, 31, WIDTH)
    theirs = d2l.PositionalEncoding(WIDTH, dropout=0.0)
    same(SinusoidalPositions(WIDTH)(x), theirs(x))


@pytest.mark.equals(
    "positions.RotaryPositions",
    "transformers.models.gptj.modeling_gptj.apply_rotary_pos_emb",
    within={torch.float64: 1e-12, torch.float32: 1e-5},
)
def test_rotary_positions_are_those_of_gpt_j(hugging_face, same):
    gptj = hugging_face.models.gptj.modeling_gptj
    x = tokens()[:, :, None]  # (batch, length, heads, width) there
    waves = sines_then_cosines(LENGTH, WIDTH)
    sin, cos = waves[None].chunk(2, -1)
    theirs = gptj.apply_rotary_pos_emb(x, sin, cos)
    same(RotaryPositions(WIDTH)(x[:, :, 0]), theirs[:, :, 0])
    # with its own table, in float32
    sin, cos = gptj.create_sinusoidal_positions(LENGTH, WIDTH)[None].chunk(2, -1)
    theirs = gptj.apply_rotary_pos_emb(x.float(), sin, cos)
    same(RotaryPositions(WIDTH)(x[:, :, 0].float()), theirs[:, :, 0])


@pytest.mark.equals(
    "positions.RotaryPositions",
    "transformers.models.llama.modeling_llama.apply_rotary_pos_emb",
    within={torch.float64: 1e-12},
)
def test_rotary_positions_are_llamas_up_to_the_order_of_features(hugging_face, same):
    # there feature i makes a pair with feature i + width / 2
    llama = hugging_face.models.llama.modeling_llama
    x = tokens()[:, None]  # (batch, heads, length, width)
    order = torch.arange(WIDTH).view(WIDTH // 2, 2).T.flatten()
    sin, cos = sines_then_cosines(LENGTH, WIDTH)[None].chunk(2, -1)
    sin, cos = torch.cat([sin, sin], -1), torch.cat([cos, cos], -1)
    theirs, _ = llama.apply_rotary_pos_emb(x[..., order], x[..., order], cos, sin)
    same(RotaryPositions(WIDTH)(x)[..., order], theirs)


# Offsets


@EVERY_KIND
@pytest.mark.parametrize("offset", [1, 4, 6])
def test_an_offset_is_the_end_of_a_longer_call(kind, offset):
    positions, x = KINDS[kind](), tokens()
    later = positions(x[:, offset:], offset)
    torch.testing.assert_close(later, positions(x)[:, offset:], **CLOSE)
    assert (later - positions(x[:, offset:])).abs().max() > 1e-3


@EVERY_KIND
def test_every_row_may_have_an_offset_of_its_own(kind):
    positions, x, offset = KINDS[kind](), tokens(), torch.tensor([3, 19])
    shifted = positions(x, offset)
    for row in range(BATCH):
        alone = positions(x[row : row + 1], int(offset[row]))
        torch.testing.assert_close(shifted[row : row + 1], alone, **CLOSE)


def test_the_offset_of_a_row_is_that_of_all_its_heads():
    x, offset = torch.randn(2, 3, 5, WIDTH, dtype=torch.float64), torch.tensor([7, 11])
    turned = RotaryPositions(WIDTH)(x, offset)
    for row in range(2):
        alone = RotaryPositions(WIDTH)(x[row], int(offset[row]))
        torch.testing.assert_close(turned[row], alone, **CLOSE)


@pytest.mark.parametrize("kind", ["sinusoidal", "rotary"])
def test_sines_are_computed_once(kind, monkeypatch):
    """Kind: the same float64 sines at every call."""
    positions, computed = KINDS[kind](), []
    sin = torch.Tensor.sin
    monkeypatch.setattr(torch.Tensor, "sin", lambda x: computed.append(len(x)) or sin(x))
    positions(tokens(40))
    for offset in range(40):
        positions(tokens(1), offset)
    assert len(computed) == 1


@pytest.mark.parametrize("kind", ["sinusoidal", "rotary"])
def test_what_is_kept_fits_every_later_call(kind):
    positions, x = KINDS[kind](), tokens(200)
    wanted = KINDS[kind]()(x)
    with torch.inference_mode():
        positions(x[:, :5])
    for start, end in ((0, 7), (3, 90), (90, 91), (0, 200), (199, 200)):
        later = positions(x[:, start:end].clone().requires_grad_(), start)
        later.sum().backward()
        torch.testing.assert_close(later.detach(), wanted[:, start:end], **CLOSE)
        assert positions(x[:, start:end].bfloat16(), start).dtype == torch.bfloat16
    with FakeTensorMode() as mode:
        assert positions(mode.from_tensor(x)).shape == x.shape
    torch.testing.assert_close(positions(x), wanted, **CLOSE)
    assert positions(x.to("meta")).device.type == "meta"
    torch.testing.assert_close(copy.deepcopy(positions)(x), wanted, **CLOSE)


@pytest.mark.parametrize("kind", ["sinusoidal", "rotary"])
def test_threads_may_share_what_is_kept(kind):
    """Kind: one thread reads what another is about to replace."""
    positions, x, offsets = KINDS[kind](), tokens(3), (0, 1000)
    wanted = {offset: KINDS[kind]()(x, offset) for offset in offsets}

    def all_right(offset: int) -> bool:
        return all(torch.equal(positions(x, offset), wanted[offset]) for _ in range(1500))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor() as threads:
            assert all(threads.map(all_right, offsets))
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("kind", ["sinusoidal", "rotary"])
def test_what_is_fake_is_not_kept(kind):
    """Kind: a call without data that damages the module for later ones."""
    positions, x = KINDS[kind](), tokens(3)
    with FakeTensorMode(allow_non_fake_inputs=True):
        positions(x)
    assert torch.equal(positions(x), KINDS[kind]()(x))


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
@settings(max_examples=50)
def test_rotary_scores_depend_on_the_difference_alone(query_at, key_at, moved):
    generator = torch.Generator().manual_seed(0)
    rotary = RotaryPositions(WIDTH)
    query, key = torch.randn(2, 1, WIDTH, generator=generator, dtype=torch.float64)

    def score(query_at: int, key_at: int) -> float:
        return (rotary(query, query_at) @ rotary(key, key_at).mT).item()

    here = score(query_at, key_at)
    assert here == pytest.approx(score(query_at + moved, key_at + moved), abs=1e-8)
    least = min(query_at, key_at)
    assert here == pytest.approx(score(query_at - least, key_at - least), abs=1e-8)


def test_rotary_scores_of_a_sentence_are_the_same_further_on():
    rotary, query, key = RotaryPositions(WIDTH), tokens(), tokens(5)
    here = rotary(query) @ rotary(key).mT
    there = rotary(query, 1000) @ rotary(key, 1000).mT
    torch.testing.assert_close(there, here, rtol=0, atol=1e-10)
    assert (rotary(query, 1) @ rotary(key).mT - here).abs().max() > 0.1


def test_turning_keeps_lengths():
    x = tokens(31)
    turned = RotaryPositions(WIDTH)(x, 12345)
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1), **CLOSE)


def test_the_sinusoidal_code_of_a_shift_is_a_rotation():
    # code(t + 3) is one and the same matrix times code(t), for every t: the paper's reason
    code = SinusoidalPositions(WIDTH).code(100, dtype=torch.float64)
    matrix = torch.linalg.lstsq(code[:-3], code[3:]).solution
    torch.testing.assert_close(code[:-3] @ matrix, code[3:], rtol=0, atol=1e-9)


@pytest.mark.parametrize("offset", [1000, 10**6])
def test_far_away_the_code_is_still_precise(offset):
    # The angles are computed in float64: in float32 one at a million is off by up to 0.03.
    code = SinusoidalPositions(WIDTH).code(LENGTH, offset)
    for t in range(LENGTH):
        for i in range(WIDTH // 2):
            wave = angle(offset + t, i, WIDTH)
            assert code[t, 2 * i].item() == pytest.approx(math.sin(wave), abs=1e-7)
            assert code[t, 2 * i + 1].item() == pytest.approx(math.cos(wave), abs=1e-7)
    careless = np.float32(offset + 1) / np.float32(10_000) ** np.float32(2 / WIDTH)
    if offset == 10**6:
        assert abs(math.sin(careless) - math.sin(angle(offset + 1, 1, WIDTH))) > 1e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_far_away_turning_is_as_precise_as_the_dtype(dtype):
    x = tokens()
    exact = RotaryPositions(WIDTH)(x, 10**6)
    turned = RotaryPositions(WIDTH)(x.to(dtype), 10**6)
    assert turned.dtype == dtype
    atol = {torch.float32: 1e-6, torch.bfloat16: 5e-2}[dtype]
    torch.testing.assert_close(turned.double(), exact, rtol=0, atol=atol)


# Shapes, dtypes, gradients, compilation


@EVERY_KIND
@DTYPES
def test_the_dtype_is_that_of_the_tokens(kind, dtype, device):
    positions, x = KINDS[kind](), tokens()
    exact = positions(x, 3)
    output = positions.to(device, dtype)(x.to(device, dtype), 3)
    assert output.dtype == dtype
    assert output.device.type == device.type
    torch.testing.assert_close(output.double().cpu(), exact, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_the_code_has_the_dtype_asked_for(dtype):
    positions = SinusoidalPositions(WIDTH)
    assert positions.code(3, dtype=dtype).dtype == dtype
    assert positions.code(3).dtype == torch.get_default_dtype()


@pytest.mark.parametrize("leading", [(), (3,), (2, 3), (2, 3, 5)])
def test_rotary_positions_take_any_leading_axes(leading):
    x = torch.randn(*leading, LENGTH, WIDTH, dtype=torch.float64)
    turned = RotaryPositions(WIDTH)(x)
    for row, one in zip(turned.view(-1, LENGTH, WIDTH), x.view(-1, LENGTH, WIDTH), strict=True):
        torch.testing.assert_close(row, RotaryPositions(WIDTH)(one), **CLOSE)


@EVERY_KIND
def test_no_token_at_all_is_no_token_after(kind):
    assert KINDS[kind]()(tokens(0), 3).shape == (BATCH, 0, WIDTH)


@EVERY_KIND
def test_the_tokens_given_stay_as_they_were(kind):
    x = tokens()
    kept = x.clone()
    KINDS[kind]()(x)
    assert torch.equal(x, kept)


@EVERY_KIND
def test_gradients_are_those_of_finite_differences(kind):
    positions = KINDS[kind]()
    assert torch.autograd.gradcheck(lambda x: positions(x, 3), tokens(3).requires_grad_())


def test_only_the_rows_that_were_read_learn():
    positions = LearnedPositions(max_len=11, embed_dim=WIDTH).double()
    positions(tokens(3), 4).sum().backward()
    rows = positions.weight.grad.any(-1)
    assert rows.tolist() == [False] * 4 + [True] * 3 + [False] * 4
    assert (positions.weight.grad[4:7] == BATCH).all()


def test_only_learned_positions_have_weights():
    assert not list(SinusoidalPositions(WIDTH).parameters())
    assert not list(RotaryPositions(WIDTH).parameters())
    assert not SinusoidalPositions(WIDTH).state_dict()
    assert [weight.shape for weight in LearnedPositions(max_len=11, embed_dim=3).parameters()] == [
        (11, 3)
    ]
    assert 0.015 < LearnedPositions(max_len=101, embed_dim=50).weight.std().item() < 0.025


@EVERY_KIND
def test_they_say_what_they_are(kind):
    said = {
        "sinusoidal": "embed_dim=10, base=10000",
        "learned": "max_len=31, embed_dim=10",
        "rotary": "head_dim=10, base=10000",
    }
    assert said[kind] in repr(KINDS[kind]())


@COMPILES
@EVERY_KIND
def test_positions_compile_in_one_graph(kind):
    positions, x = KINDS[kind](), tokens()
    compiled = torch.compile(positions, backend="aot_eager", fullgraph=True)
    for offset in (0, 3, 5):
        torch.testing.assert_close(compiled(x, offset), positions(x, offset), **CLOSE)


# Bad input


@pytest.mark.parametrize("make", [SinusoidalPositions, RotaryPositions])
def test_widths_and_bases_that_make_no_sense_are_refused(own_errors, make):
    name = "embed_dim" if make is SinusoidalPositions else "head_dim"
    with refused(ValueError, name, "even", "7"):
        make(7)
    with refused(ValueError, name, "positive", "0"):
        make(0)
    with refused(TypeError, name, "integer", "float"):
        make(6.0)
    with refused(TypeError, name, "integer", "bool"):
        make(True)
    for base in (1, 0, -3.0, math.nan, "e", True):
        with refused(ValueError, "base", "above 1", repr(base)):
            make(6, base=base)


def test_tables_that_make_no_sense_are_refused(own_errors):
    with refused(TypeError, "positional argument"):  # which could be swapped
        LearnedPositions(3, 5)
    with refused(ValueError, "max_len", "positive", "0"):
        LearnedPositions(max_len=0, embed_dim=3)
    with refused(TypeError, "max_len", "integer", "float"):
        LearnedPositions(max_len=3.0, embed_dim=3)
    with refused(ValueError, "embed_dim", "positive", "-1"):
        LearnedPositions(max_len=3, embed_dim=-1)


def test_past_the_end_of_a_learned_table_is_refused(own_errors):
    positions, x = LearnedPositions(max_len=LENGTH, embed_dim=WIDTH).double(), tokens()
    assert positions(x).shape == x.shape
    assert positions(x[:, :1], LENGTH - 1).shape == (BATCH, 1, WIDTH)
    with refused(ValueError, "positions 1 to 7", "table has 7, 0 to 6"):
        positions(x, 1)
    with refused(ValueError, "positions 7 to 7", "table has 7, 0 to 6"):
        positions(x[:, :1], 7)
    with refused(ValueError, "positions 0 to 7", "table has 7"):
        positions(tokens(LENGTH + 1))
    with refused(ValueError, "positions 3 to 9", "table has 7"):
        positions(x, torch.tensor([0, 3]))


@EVERY_KIND
def test_offsets_that_make_no_sense_are_refused(own_errors, kind):
    positions, x = KINDS[kind](), tokens()
    with refused(ValueError, "offset", "not be negative", "-1"):
        positions(x, -1)
    with refused(TypeError, "offset", "integer", "float"):
        positions(x, 1.0)
    with refused(TypeError, "offset", "integers", "float32"):
        positions(x, torch.tensor([1.0, 2.0]))
    with refused(ValueError, "offset", "(batch,)", "(2, 7, 10)", "(3,)"):
        positions(x, torch.tensor([1, 2, 3]))
    with refused(ValueError, "offset", "(batch,)", "(7, 10)", "(7,)"):
        positions(x[0], torch.arange(LENGTH))
    with refused(ValueError, "offset", "not be negative", "-2"):
        positions(x, torch.tensor([1, -2]))
    with refused(ValueError, "offset", "device", "cpu and meta"):
        positions(x, torch.tensor([1, 2], device="meta"))


@EVERY_KIND
def test_tokens_that_do_not_fit_are_refused(own_errors, kind):
    positions = KINDS[kind]()
    name = "features" if kind == "rotary" else "embedded"
    with refused(TypeError, name, "tensor", "list"):
        positions([[1.0] * WIDTH])
    with refused(TypeError, name, "floating point", "int64"):
        positions(tokens().long())
    with refused(ValueError, name, "(..., length, 10)", "(2, 7, 8)"):
        positions(tokens(width=8))
    with refused(ValueError, name, "(..., length, 10)", "(10,)"):
        positions(torch.zeros(WIDTH))


def test_learned_positions_have_a_dtype_of_their_own(own_errors):
    with refused(TypeError, "embedded", "dtype", "float32 and torch.float64"):
        LearnedPositions(max_len=LENGTH, embed_dim=WIDTH)(tokens())
