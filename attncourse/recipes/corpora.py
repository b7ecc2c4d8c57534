"""A corpus ready for training: its vocabularies, its numbered pairs, its tests (chapter 04)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from attncourse.data.grammar.clauses import Pair
from attncourse.data.real import Pair as Caption
from attncourse.data.real import multi30k
from attncourse.data.translation import translation_pairs
from attncourse.data.vocabulary import (
    BaseVocabulary,
    BytePairVocabulary,
    Vocabulary,
    split_words,
)
from attncourse.recipes.recipe import Recipe

Numbered = tuple[list[int], list[int]]

MIN_COUNT = 2  # a word of a caption that comes once is <unk>


@dataclass(frozen=True)
class Corpus:
    """What a recipe trains on and is tested on.

    Attributes:
        source: the vocabulary of the language that is read.
        target: that of the language that is written.
        train: pairs of numbers, without marks.
        validation: the same, of other sentences.
        tests: by name, the pairs as the corpus gives them.
    """

    source: BaseVocabulary
    target: BaseVocabulary
    train: list[Numbered]
    validation: list[Numbered]
    tests: dict[str, Sequence[Pair | Caption]]


def load(recipe: Recipe) -> Corpus:
    """Read or make a recipe's corpus.

    Raises:
        DataError: if a real corpus cannot be had; the message says what to do.
        ValueError: if there is no such corpus, or not in these languages.
    """
    if recipe.corpus == "embedded":
        if (recipe.source, recipe.target) != ("en", "fr"):
            raise ValueError(
                "source and target must be 'en' and 'fr' for the embedded corpus, "
                f"got {recipe.source!r} and {recipe.target!r}"
            )
        parts = translation_pairs(train=recipe.pairs)
        train, validation = parts.train, parts.validation
        tests = {name: getattr(parts, name) for name in ("validation", "composition", "length")}
        least = 1
    elif recipe.corpus == "multi30k":
        raw = {
            split: multi30k(recipe.source, recipe.target, split)
            for split in ("train", "val", "test_2016_flickr")
        }
        train, validation = (
            [Caption(*map(split_words, pair)) for pair in raw[split]] for split in ("train", "val")
        )
        tests = {"test_2016_flickr": raw["test_2016_flickr"]}
        least = MIN_COUNT
    else:
        raise ValueError(f"corpus must be 'embedded' or 'multi30k', got {recipe.corpus!r}")
    texts = [[pair[side] for pair in train] for side in (0, 1)]
    if recipe.subwords is None:
        source, target = (Vocabulary.build(side, min_count=least) for side in texts)
    else:
        source = target = BytePairVocabulary.train(texts[0] + texts[1], size=recipe.subwords)

    def numbered(pairs) -> list[Numbered]:
        return [(source.encode(pair.source), target.encode(pair.target)) for pair in pairs]

    return Corpus(source, target, numbered(train), numbered(validation), tests)
