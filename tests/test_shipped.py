"""attncourse.shipped: the weights that come with the package are those that were recorded."""

from __future__ import annotations

import re

import pytest
import torch

from attncourse import cli
from attncourse.data.real import multi30k
from attncourse.recipes import RECIPES, Recipe, records, shipped
from attncourse.recipes.scores import of_captions
from attncourse.recipes.shipped import FOLDER

NAME = "multi30k-en-fr-tiny"


@pytest.fixture(scope="module")
def run():
    return shipped()


@pytest.fixture(scope="module")
def record():
    return records(NAME)[0]


def test_it_is_the_recipe_of_its_record(run, record):
    assert run.recipe == RECIPES[NAME]
    assert run.recipe == Recipe.from_dict(record["recipe"])
    assert run.seed == record["seed"]
    size = sum(weights.numel() for weights in run.model.parameters())
    assert size == record["training"]["parameters"]


def test_its_weights_are_small_and_whole_on_the_way_out(run):
    held = sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file())
    assert held < 8e6
    for weights in run.model.parameters():
        assert weights.dtype == torch.float32
        assert weights.isfinite().all()


def test_it_is_as_good_as_its_record_says(run, record, released):
    """Half precision costs nothing that BLEU would see."""
    pairs = multi30k("en", "fr", "test_2016_flickr")
    found, recorded = of_captions(run.translator, pairs, "fr"), record["scores"]["test_2016_flickr"]
    assert found["loss"] == pytest.approx(recorded["loss"], abs=2e-3)
    for search in ("greedy", "beam"):
        assert found[search]["bleu"] == pytest.approx(recorded[search]["bleu"], abs=0.3)


def test_its_card_has_the_figures_of_its_record(record):
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    beam = record["scores"]["test_2016_flickr"]["beam"]
    for figure in (beam["bleu"], *beam["interval"], beam["bleu_13a"]):
        assert f"{figure:.1f}" in card
    assert f"{record['training']['minutes']:.0f} minutes" in card


def test_the_command_translates_offline_and_anywhere(tmp_path, monkeypatch, capsys):
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATTNCOURSE_DATA", str(tmp_path))
    commands = re.findall(r"^\$ attncourse (.*)$", card, re.MULTILINE)
    assert commands
    for command in commands:
        asked, sentence = command.split(maxsplit=1)
        assert cli.main([asked, sentence.strip('"')]) == 0
        written = capsys.readouterr().out
        assert f"$ attncourse {command}\n{written}" in card
    assert not list(tmp_path.iterdir())
