"""attncourse.shipped: the weights that come with the package are those that were recorded."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from attncourse import cli
from attncourse.data.real import multi30k
from attncourse.data.vocabulary import join_words
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


def test_a_text_comes_and_goes_as_people_write_it(run, capsys):
    """Kind: Python and the command line wrote two different sentences."""
    text = "\ufeffA dog runs on the be\u00adach\u200b."
    assert run.translator([text]) == ["Un chien court sur la plage."]
    assert cli.main(["translate", text]) == 0
    assert capsys.readouterr().out == "Un chien court sur la plage.\n"
    words = run.translator.words(["a man in a café on the grass ."])
    assert run.translator(["A man in a cafe\u0301 on the grass."], beam_size=1) == [
        join_words(words[0], "fr")
    ]


def test_it_can_be_seen_what_it_read_and_where_it_looked(run):
    seen = run.translator.explain("A hedgehog runs on the beach.")
    assert seen.unfamiliar == ("hedgehog",)
    assert [seen.text] == run.translator(["A hedgehog runs on the beach."])
    looks = seen.maps["decoder.layers.3.cross_attention"]
    assert looks.shape == (4, len(seen.target_tokens), len(seen.source_tokens))
    torch.testing.assert_close(looks.sum(-1), torch.ones(looks.shape[:2]))


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


ALONE = """
import re, runpy, sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

def name(requirement):
    return re.match(r"[\\w.-]+", requirement)[0].lower().replace("_", "-")

installed, waiting = set(), {wanted!r}
while waiting:
    one = name(waiting.pop())
    try:
        needs = requires(one) or [] if one not in installed else []
    except PackageNotFoundError:  # for another system
        continue
    installed.add(one)
    waiting += [need for need in needs if "extra ==" not in need]

class Hidden:
    def find_spec(module, path=None, target=None):
        of = {{name(each) for each in owners.get(module.partition(".")[0], ())}}
        if of and not of & installed:
            raise ModuleNotFoundError(f"hidden: {{module}}", name=module)

owners = packages_distributions()
owners.pop("attncourse", None)
sys.meta_path.insert(0, Hidden)
sys.argv = {command!r}
runpy.run_module("attncourse", run_name="__main__")
"""


def test_a_plain_installation_runs_the_first_command_of_the_readme(tmp_path):
    """Kind: what the main use needs is no dependency. Everything else that is installed hides."""
    root = Path(__file__).parents[1]
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r"^dependencies = \[\n(.*?)^\]", project, re.M | re.S)
    readme = (root / "README.md").read_text(encoding="utf-8")
    command = shlex.split(re.search(r"`(attncourse translate [^`]*)`", readme)[1])
    code = ALONE.format(wanted=re.findall(r'"(.+)"', found[1]), command=command)
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_WAIT_POLICY": "passive"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Un chien court sur la plage.\n"
