"""What the command line takes."""

from __future__ import annotations

import argparse
from pathlib import Path

from attncourse import __version__
from attncourse.cli.training import RESULTS, RUNS, SEED, evaluate, recipes, train
from attncourse.cli.translating import BATCH, translate
from attncourse.recipes import RECIPES
from attncourse.translator import BEAM

TOUR = """\
from nothing to a model:
  attncourse translate "A dog runs on the beach."  at once, with the model of the package
  attncourse recipes                               what can be trained
  attncourse train embedded-attention              some minutes; Ctrl-C, and again to go on
  attncourse evaluate embedded-attention           its scores on sentences that it never saw
  attncourse translate --recipe embedded-attention "My sister reads the books."

The model of the package knows captions of photographs only. Of anything else it makes fluent
nonsense, and does not say so.

The corpus `embedded` is part of the package. Captions (`multi30k`) are fetched once into
~/.cache/attncourse, or read from the folder that ATTNCOURSE_DATA names.
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="attncourse",
        description="The long trainings of the course, by recipe, and what came of them.",
        epilog=TOUR,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"attncourse {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser(
        "recipes", help="list the recipes", description="List the recipes."
    )
    command.set_defaults(run=recipes)

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
        default=RESULTS,
        metavar="FOLDER",
        help="where the record goes (%(default)s)",
    )
    command.add_argument("--device", metavar="NAME", help="such as cpu; by default a GPU if any")
    command.add_argument(
        "--sharded",
        action="store_true",
        help="divide the weights among the processes that torchrun started",
    )
    command.set_defaults(run=train)

    command = commands.add_parser(
        "evaluate",
        help="judge a trained model again",
        description="Judge a trained model on the tests of its corpus, and print the scores.",
    )
    _add_recipe(command)
    command.set_defaults(run=evaluate)

    command = commands.add_parser(
        "translate",
        help="translate sentences with a trained model",
        description="Translate sentences, or the lines of a file or of the standard input, one "
        "sentence each. The model that comes with the package has read captions of photographs "
        'only, such as "A dog runs on the beach.": what it makes of anything else is fluent, and '
        "often wrong.",
        epilog=f"Lines are translated {BATCH} at a time, those that are typed one by one. A "
        "sentence that is too long becomes an empty line, and the exit status is then 1.",
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
    command.add_argument(
        "--input", type=Path, metavar="FILE", help="UTF-8; by default the standard input"
    )
    command.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="written in UTF-8 when all is translated, whole or not at all; by default the "
        "standard output",
    )
    search = command.add_mutually_exclusive_group()
    search.add_argument(
        "--beam",
        type=_positive,
        default=BEAM["beam_size"],
        metavar="N",
        help="the size of the beam (%(default)s)",
    )
    search.add_argument(
        "--greedy",
        action="store_const",
        const=1,
        default=argparse.SUPPRESS,
        dest="beam",
        help="without a beam, as --beam 1",
    )
    command.set_defaults(run=translate)
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


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be an integer, got {text}") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {number}")
    return number
