"""What chapter 17 reads: each record is of the script as it stands, and holds what is claimed."""

from __future__ import annotations

import math

import pytest
import torch

from attncourse.data.corners import CORNERS, draw_corners, symbol_shapes
from attncourse.metrics import agreement, read_symbols
from attncourse.recipes import records
from benchmarks import generation

BY_SEED = pytest.mark.parametrize("seed", range(3))
BOTH, NONE, JUDGE, MAKER = (name for name, *_ in generation.GANS)
FULL, WINDOW = (name for name, _ in generation.GPTS)


def run(seed: int, kind: str, name: str) -> dict:
    (found,) = [run for run in records("generation")[seed][kind] if run["model"] == name]
    return found


@BY_SEED
def test_a_record_is_of_the_script_as_it_stands(seed):
    record = records("generation")[seed]
    assert record["seed"] == seed
    assert {"commit", "torch", "python", "processor", "threads"} <= set(record["environment"])
    assert record["settings"] == generation.settings()
    assert [run["model"] for run in record["gpts"]] == [FULL, WINDOW]
    assert [run["model"] for run in record["gans"]] == [BOTH, NONE, JUDGE, MAKER]
    for (_, window), found in zip(generation.GPTS, record["gpts"], strict=True):
        assert found["parameters"] == generation.count(generation.gpt_model(window))
        assert found["steps"] == generation.GPT_STEPS
    for (_, *attention, rates), found in zip(generation.GANS, record["gans"], strict=True):
        models = (generation.Generator, generation.Discriminator)
        built = [model(attention=one) for model, one in zip(models, attention, strict=True)]
        assert found["parameters"] == list(map(generation.count, built))
        assert found["rates"] == list(rates)
        assert found["steps"] == generation.GAN_STEPS
        assert len(found["curve"]) == generation.GAN_STEPS // generation.EVERY


@BY_SEED
def test_every_run_names_its_commit_and_the_last_is_the_records(seed):
    record = records("generation")[seed]
    commits = [run["commit"] for kind in ("gpts", "gans") for run in record[kind]]
    assert record["environment"]["commit"] in commits
    assert not any(commit is None or commit.endswith("+") for commit in commits)


@BY_SEED
def test_the_compared_have_as_many_weights(seed):
    for kind in ("gpts", "gans"):
        counts = [run["parameters"] for run in records("generation")[seed][kind]]
        assert all(count == counts[0] for count in counts)


@BY_SEED
@pytest.mark.parametrize(("kind", "name"), [("gpts", FULL), ("gans", BOTH), ("gans", JUDGE)])
def test_with_attention_the_corners_agree(seed, kind, name):
    found = run(seed, kind, name)
    assert found["corrected"] >= 0.9
    assert found["interval"][0] > 0.85


@BY_SEED
@pytest.mark.parametrize(("kind", "name"), [("gpts", WINDOW), ("gans", NONE), ("gans", MAKER)])
def test_without_it_they_do_not(seed, kind, name):
    assert abs(run(seed, kind, name)["corrected"]) <= 0.3


@BY_SEED
@pytest.mark.parametrize("kind", ["gpts", "gans"])
def test_most_pictures_are_valid_and_no_symbol_is_forgotten(seed, kind):
    for found in records("generation")[seed][kind]:
        assert found["valid"] > 0.6, found["model"]
        assert min(found["usage"]) > 0.5 / len(found["usage"]), found["model"]


@BY_SEED
def test_likelihood_prefers_the_window(seed):
    assert run(seed, "gpts", WINDOW)["nats_a_word"] < run(seed, "gpts", FULL)["nats_a_word"] - 0.005


@BY_SEED
def test_the_full_model_pays_for_one_ring_and_the_window_for_two_but_less_elsewhere(seed):
    choice = math.log(generation.GPT_SYMBOLS)
    full, window = (run(seed, "gpts", name)["nats_by_region"] for name in (FULL, WINDOW))
    assert full["first ring"] == pytest.approx(choice, abs=0.15)
    assert window["first ring"] == pytest.approx(choice, abs=0.15)
    assert full["second ring"] < 0.15
    assert window["second ring"] == pytest.approx(choice, abs=0.15)
    assert window["elsewhere"] < full["elsewhere"] - choice
    for name, parts in ((FULL, full), (WINDOW, window)):
        words = generation.GRID**2 * run(seed, "gpts", name)["nats_a_word"]
        assert sum(parts.values()) == pytest.approx(words, abs=0.01)


@BY_SEED
@pytest.mark.parametrize("name", [FULL, WINDOW])
def test_a_gpt_uses_every_symbol_in_both_corners(seed, name):
    found = run(seed, "gpts", name)
    corners = torch.tensor(found["usage_by_corner"])
    assert corners.min() > 0.2
    assert torch.allclose(corners.mean(0), torch.tensor(found["usage"]), atol=1e-3)
    assert found["valid"] > 0.9  # the window draws rings as well as the full model


@BY_SEED
def test_agreement_comes_when_the_discriminators_gate_has_opened(seed):
    curve = run(seed, "gans", BOTH)["curve"]
    assert abs(curve[0]["gates"][1]) < 0.05
    assert abs(curve[-1]["gates"][1]) > 0.7
    assert curve[4]["corrected"] < 0.3


@BY_SEED
def test_attention_in_the_generator_steadies_the_training(seed):
    for name in (BOTH, NONE, JUDGE, MAKER):
        least = min(point["valid"] for point in run(seed, "gans", name)["curve"][9:])
        assert (least > 0.85) if name in (BOTH, MAKER) else (least < 0.1), name


@BY_SEED
def test_the_pictures_in_a_record_are_as_good_as_its_scores(seed):
    for kind, symbols in (("gpts", generation.GPT_SYMBOLS), ("gans", generation.GAN_SYMBOLS)):
        for found in records("generation")[seed][kind]:
            assert len(found["pictures"]) == generation.SHOWN
            pictures = unpacked(found["pictures"])
            told = agreement(read_symbols(pictures, symbol_shapes(symbols), CORNERS), symbols)
            assert abs(told.valid - found["valid"]) < 0.35
            assert abs(told.raw - found["raw"]) < 0.4


def unpacked(rows: list[str]) -> torch.Tensor:
    bits = [[int(bit) for digit in row for bit in f"{int(digit, 16):04b}"] for row in rows]
    return torch.tensor(bits, dtype=torch.float32).view(-1, 1, 16, 16)


def test_a_picture_is_packed_four_pixels_a_digit():
    pictures = draw_corners(3, 4, torch.Generator().manual_seed(0)).images
    assert torch.equal(unpacked(generation.packed(pictures)), pictures)
    assert generation.packed(torch.tensor([[[[0.0, 0.6, 0.4, 1.0]]]])) == ["5"]


def test_a_cut_down_training_writes_what_a_record_needs(monkeypatch):
    for name, value in {"GAN_STEPS": 2, "EVERY": 1, "GPT_STEPS": 2, "MADE": 30}.items():
        monkeypatch.setattr(generation, name, value)
    gan, gpt = (
        generation.gan_run(*generation.GANS[1], 0),
        generation.gpt_run(*generation.GPTS[1], 0),
    )
    assert len(gan["curve"]) == 2
    assert sum(gpt["nats_by_region"].values()) == pytest.approx(64 * gpt["nats_a_word"], abs=0.01)
    for found in (gan, gpt):
        assert 0 <= found["valid"] <= 1
        assert len(found["pictures"]) == 24
        assert found["frechet"] > found["frechet_real"]
