"""The command `attncourse`: train by a recipe, evaluate, translate (chapters 04 and 05)."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from attncourse.data.downloads import DataError
from attncourse.data.vocabulary import split_words
from attncourse.recipes import RECIPES, environment, evaluate, load, shipped, train, write_record
from attncourse.recipes.scores import BEAM
from attncourse.training import CheckpointError, WorkerError, working_together

SEED, RUNS = 0, Path("runs")
INTERRUPTED = 130  # what a shell reports for Ctrl-C

TOUR = """\
from nothing to a model:
  attncourse translate "A dog runs on the beach."  at once, with the model of the package
  attncourse recipes                               what can be trained
  attncourse train embedded-attention              some minutes; Ctrl-C, and again to go on
  attncourse evaluate embedded-attention           its scores on sentences that it never saw
  attncourse translate --recipe embedded-attention "My sister reads the books."

The corpus `embedded` is part of the package. Captions (`multi30k`) are fetched once into
~/.cache/attncourse, or read from the folder that ATTNCOURSE_DATA names.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: what stands behind `attncourse`; by default what the shell gave.

    Returns:
        The exit status: 0, 1 where something went wrong, 130 after Ctrl-C.
    """
    if arguments is None:
        _let_threads_sleep()
    asked = _parser().parse_args(arguments)
    try:
        return asked.run(asked)
    except KeyboardInterrupt as interruption:
        print(str(interruption) or "interrupted", file=sys.stderr)
        return INTERRUPTED
    except (
        CheckpointError,
        DataError,
        FloatingPointError,
        ImportError,
        OSError,
        ValueError,
        WorkerError,
    ) as error:
        print(f"attncourse: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="attncourse",
        description="The long trainings of the course, by recipe.",
        epilog=TOUR,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser(
        "recipes", help="list the recipes", description="List the recipes."
    )
    command.set_defaults(run=_recipes)

    command = commands.add_parser(
        "train",
        help="train by a recipe, or go on with a training that was stopped",
        description="Train by a recipe and record what came of it. Ctrl-C stops it after the "
        "step; the same command goes on.",
    )
    _add_recipe(command)
    command.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="FOLDER",
        help="where the record goes (%(default)s)",
    )
    command.add_argument("--device", metavar="NAME", help="such as cpu; by default a GPU if any")
    command.add_argument(
        "--sharded",
        action="store_true",
        help="divide the weights among the processes that torchrun started",
    )
    command.set_defaults(run=_train)

    command = commands.add_parser(
        "evaluate",
        help="judge a trained model again",
        description="Judge a trained model on the tests of its corpus, and print the scores.",
    )
    _add_recipe(command)
    command.set_defaults(run=_evaluate)

    command = commands.add_parser(
        "translate",
        help="translate sentences with a trained model",
        description="Translate sentences, or the lines of the standard input if there are none.",
    )
    # An option, since argparse loses positional arguments that stand on both sides of one.
    command.add_argument(
        "--recipe",
        choices=RECIPES,
        metavar="RECIPE",
        help="of a model that you trained; by default the one that comes with the package, from "
        "English to French",
    )
    _add_run(command)
    command.add_argument("sentences", nargs="*", metavar="SENTENCE")
    command.add_argument("--greedy", action="store_true", help="without a beam")
    command.set_defaults(run=_translate)
    return parser


def _add_recipe(command: argparse.ArgumentParser) -> None:
    command.add_argument("recipe", metavar="RECIPE", choices=RECIPES, help="see attncourse recipes")
    _add_run(command)


def _add_run(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--seed", type=int, default=SEED, metavar="N", help="of the training (%(default)s)"
    )
    command.add_argument(
        "--runs",
        type=Path,
        default=RUNS,
        metavar="FOLDER",
        help="where checkpoints and models lie (%(default)s)",
    )


def _recipes(asked: argparse.Namespace) -> int:
    for name, recipe in RECIPES.items():
        languages = f"{recipe.source} to {recipe.target}"
        print(f"{name:28} {recipe.corpus}, {languages}, {recipe.model}, {recipe.steps:,} steps")
    return 0


def _train(asked: argparse.Namespace) -> int:
    name = _name(asked)
    with working_together(asked.device) as workers:
        if asked.sharded and workers.size == 1:
            raise ValueError("--sharded is for several processes: start them with torchrun")
        run, training = train(
            RECIPES[asked.recipe],
            asked.runs / name,
            seed=asked.seed,
            device=asked.device,
            sharded=asked.sharded,
        )
    if not workers.first:
        return 0
    record = {
        "name": asked.recipe,
        "seed": asked.seed,
        "recipe": run.recipe.to_dict(),
        "environment": environment(),
        "training": training,
        "scores": evaluate(run),
    }
    path = asked.results / f"{name}.json"
    write_record(path, record)
    print(f"recorded in {path}")
    return 0


def _evaluate(asked: argparse.Namespace) -> int:
    print(json.dumps(evaluate(load(asked.runs / _name(asked))), indent=1, ensure_ascii=False))
    return 0


def _translate(asked: argparse.Namespace) -> int:
    if asked.recipe is None and (asked.seed, asked.runs) != (SEED, RUNS):
        raise ValueError(
            "--seed and --runs are about a model that you trained: add --recipe RECIPE"
        )
    run = shipped() if asked.recipe is None else load(asked.runs / _name(asked))
    if hasattr(sys.stdin, "reconfigure"):  # what is no UTF-8 costs a sign, not all lines behind it
        sys.stdin.reconfigure(errors="replace")
    search, failed = {} if asked.greedy else BEAM, False
    for number, sentence in enumerate(asked.sentences or sys.stdin, 1):
        try:
            (written,) = run.translator([split_words(sentence)], **search)
        except ValueError as error:  # this one is lost; the others are not
            print(f"attncourse: sentence {number} stays empty: {error}", file=sys.stderr)
            written, failed = [], True
        print(" ".join(written), flush=True)
    return int(failed)


def _name(asked: argparse.Namespace) -> str:
    return f"{asked.recipe}-seed{asked.seed}"


def _let_threads_sleep() -> None:
    """Start again with PyTorch's idle threads asleep: spinning, they starve each other beside any
    other job. The variable is read when PyTorch is imported, which has happened by now."""
    if "OMP_WAIT_POLICY" not in os.environ and os.name == "posix":
        os.environ["OMP_WAIT_POLICY"] = "passive"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
