"""Which exercises there are (every chapter): found in the rooms, imported when asked for."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from types import ModuleType

import torch

from attncourse.exercises.judging.exercise import Exercise


class Catalogue(Mapping[str, Exercise]):
    """The exercises of a package by name, in the order of their chapters.

    A room is a package `chNN` in it. Each module of a room is an exercise of the module's name,
    called `EXERCISE` there; a module whose name begins with an underscore is what they share.
    """

    def __init__(self, package: ModuleType):
        self.package = package

    def __iter__(self) -> Iterator[str]:
        return iter(self._places())

    def __len__(self) -> int:
        return len(self._places())

    def __contains__(self, name: object) -> bool:
        return name in self._places()

    def __getitem__(self, name: str) -> Exercise:
        with torch.device("cpu"):  # its small cases are made on import
            return importlib.import_module(self._places()[name]).EXERCISE

    def _places(self) -> dict[str, str]:
        """Where each exercise stands, by the names of the modules: no exercise is imported."""
        places: dict[str, str] = {}
        for room in _inside(self.package):
            if not re.fullmatch(r"ch\d\d", room.rpartition(".")[2]):
                continue
            for place in _inside(importlib.import_module(room)):
                name = place.rpartition(".")[2]
                if name in places:
                    raise ValueError(f"two exercises are named {name!r}: {places[name]}, {place}")
                if not name.startswith("_"):
                    places[name] = place
        return places


def _inside(package: ModuleType) -> list[str]:
    """The modules and packages in a package, sorted."""
    found = pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    return sorted(module.name for module in found)
