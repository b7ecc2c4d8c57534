"""What the command line takes."""

from __future__ import annotations

import argparse
from pathlib import Path

from attncourse import __version__
from attncourse.cli.teaching import MARKS, assignment, mark
from attncourse.cli.training import RESULTS, RUNS, SEED, evaluate, recipes, train
from attncourse.cli.translating import BATCH, translate
from attncourse.recipes import RECIPES
from attncourse.teaching.marking import SECONDS
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
        description="The long trainings of the course, by recipe, and what came of them; homework.",
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

    _add_teaching(commands)
    return parser


def _add_teaching(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser(
        "assignment",
        help="write a homework notebook from a chapter",
        description="Write a notebook with a chapter's exercises, their stubs and their checks, "
        "without solutions.",
    )
    command.add_argument(
        "chapter", type=Path, metavar="CHAPTER", help="the chapter's notebook, as the book has it"
    )
    command.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="by default the chapter's name with _homework, in this folder",
    )
    command.add_argument(
        "--only", nargs="+", metavar="EXERCISE", help="of the chapter's exercises; by default all"
    )
    command.set_defaults(run=assignment)

    command = commands.add_parser(
        "mark",
        help="mark a folder of returned notebooks",
        description="Mark the notebooks in a folder, and in the folders in it: a table with a row "
        "for each student and exercise.",
        epilog="A returned notebook is a program that runs on this machine. Each has a process of "
        "its own, with limits, but this is no sandbox: mark strangers' notebooks in a container.",
    )
    command.add_argument(
        "assignment", type=Path, metavar="ASSIGNMENT", help="the notebook that was given out"
    )
    command.add_argument(
        "folder", type=Path, metavar="FOLDER", help="where the returned notebooks are"
    )
    command.add_argument(
        "-o",
        "--output",
        type=Path,
        default=MARKS,
        metavar="FILE",
        help="the table, CSV, written anew (%(default)s)",
    )
    command.add_argument(
        "--seconds",
        type=float,
        default=SECONDS,
        metavar="N",
        help="that a notebook may take (%(default)g)",
    )
    command.set_defaults(run=mark)


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
