"""The command `translate`: sentences, or the lines of a file or of the standard input."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from attncourse.cli.streams import say
from attncourse.cli.training import RUNS, SEED, trained
from attncourse.data.files import write_atomically
from attncourse.recipes import shipped

BATCH = 64  # lines translated together: of 128 captions in 2.6 s of CPU, one by one in 12.1


def translate(asked: argparse.Namespace) -> int:
    """Translate sentence by sentence; the status is 1 if one had to stay empty."""
    if asked.recipe is None and (asked.seed, asked.runs) != (SEED, RUNS):
        raise ValueError(
            "--seed and --runs are about a model that you trained: add --recipe RECIPE"
        )
    if asked.sentences and asked.input is not None:
        raise ValueError("--input FILE stands in place of sentences: leave out one of the two")
    if asked.output is None and sys.stdout is None:
        raise ValueError("the standard output is closed: give --output FILE")
    if asked.output is not None and asked.output.exists() and not asked.output.is_file():
        # Else known only when all is done; and a file would take the place of a pipe.
        kind = "folder" if asked.output.is_dir() else "pipe or device"
        raise ValueError(f"--output must be a file, got the {kind} {asked.output}")
    batches = _batches(asked.sentences, asked.input)
    translator = (shipped() if asked.recipe is None else trained(asked)).translator

    def search(texts: list[str]) -> list[str]:
        return translator(texts, beam_size=asked.beam)

    if asked.output is None:
        failed = 0
        for texts in _translated(search, batches):
            failed += texts.count(None)
            print(*(text or "" for text in texts), sep="\n", flush=True)
    else:
        texts = [text for batch in _translated(search, batches) for text in batch]
        failed = texts.count(None)
        content = "".join(f"{text or ''}\n" for text in texts)
        write_atomically(asked.output.resolve(), content.encode("utf-8"))  # where a link leads
    return int(failed > 0)


def _batches(sentences: list[str], file: Path | None) -> Iterator[list[str]]:
    """Give the sentences some at a time; one at a time where somebody types and waits."""
    if sentences:
        return _some(sentences, BATCH)
    # What is no UTF-8 costs a sign, not all lines behind it.
    if file is not None:
        with open(file, encoding="utf-8", errors="replace") as lines:
            return _some(lines.readlines(), BATCH)
    if sys.stdin is None:
        raise ValueError("the standard input is closed: give a sentence, or --input FILE")
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")
    return _some(sys.stdin, 1 if sys.stdin.isatty() else BATCH)


def _some(lines: Iterable[str], size: int) -> Iterator[list[str]]:
    waiting = iter(lines)
    while batch := list(islice(waiting, size)):
        yield batch


def _translated(
    translate: Callable[[list[str]], list[str]], batches: Iterable[list[str]]
) -> Iterator[list[str | None]]:
    """Translate batch by batch; a sentence that cannot be is None, and is named by its number."""

    def halves(texts: list[str], number: int) -> list[str | None]:
        try:
            return list(translate(texts))
        except ValueError as error:  # one of them is lost; the others are not
            if len(texts) > 1:
                middle = len(texts) // 2
                return halves(texts[:middle], number) + halves(texts[middle:], number + middle)
            say(f"attncourse: sentence {number} stays empty: {error}")
            return [None]

    number = 1
    for batch in batches:
        yield halves(batch, number)
        number += len(batch)
