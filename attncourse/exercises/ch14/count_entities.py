"""An exercise of chapter 14: entities that are right from first to last word."""

from __future__ import annotations

import torch

from attncourse.exercises.judging import Case, Input, Misconception, Several


def count_entities(tags, gold):
    def spans(tags):
        begins = [i for i, tag in enumerate(tags) if tag[0] == "B"]
        ends = [i for i in range(len(tags) + 1) if i == len(tags) or tags[i][0] != "I"]
        return {(i, next(end for end in ends if end > i), tags[i]) for i in begins}

    ours, theirs = spans(tags), spans(gold)
    return len(ours & theirs), len(ours), len(theirs)


def _tags(shape, case, generator):
    """Draw legal tags: entities of one to three words and two kinds, some side by side."""

    def draw(most):
        return int(torch.randint(most, (), generator=generator))

    tags: list[str] = []
    while len(tags) < shape[0]:
        kind = ("person", "place")[draw(2)]
        tags += ["O"] if draw(2) else [f"B-{kind}", *[f"I-{kind}"] * draw(3)]
    return tags[: shape[0]]


def _split(text):
    """Write "B1 O" out as tags: 1 is a person, 2 a place."""
    return [tag.replace("1", "-person").replace("2", "-place") for tag in text.split()]


def _spans(tags):
    """(first word, word behind the last, kind) of each entity, in order."""
    found = []
    for i, tag in enumerate(tags):
        if tag[0] == "B":
            found.append((i, i + 1, tag[2:]))
        elif tag[0] == "I":
            found[-1] = (found[-1][0], i + 1, tag[2:])
    return found


def _merged(tags):
    """What is side by side and of one kind taken for one entity."""
    found = []
    for start, end, kind in _spans(tags):
        if found and found[-1][1:] == (start, kind):
            found[-1] = (found[-1][0], end, kind)
        else:
            found.append((start, end, kind))
    return found


def _counted(spans=_spans, matches=lambda ours, theirs: len(set(ours) & set(theirs))):
    """A count that reads the entities, or compares them, in another way."""

    def function(tags, gold):
        ours, theirs = spans(tags), spans(gold)
        return matches(ours, theirs), len(ours), len(theirs)

    return function


def _loose(alike):
    """Right if some wanted entity is alike."""
    return lambda ours, theirs: sum(any(alike(one, other) for other in theirs) for one in ours)


def _words(tags, gold):
    right = sum(a == b != "O" for a, b in zip(tags, gold, strict=True))
    return right, sum(tag != "O" for tag in tags), sum(tag != "O" for tag in gold)


def _every_word(tags, gold):
    return sum(a == b for a, b in zip(tags, gold, strict=True)), len(tags), len(gold)


EXERCISE = Several(
    name="count_entities",
    chapter="14",
    signature="count_entities(tags, gold) -> right, found, wanted: three whole numbers",
    parts=("right", "found", "wanted"),
    inputs=(Input("tags", "length", draw=_tags), Input("gold", "length", draw=_tags)),
    sizes={"length": 11},
    cases=(
        Case(
            label="half a name",
            given={"tags": _split("B1 O O B2"), "gold": _split("B1 I1 O B2")},
            hint="The model marked one word of a name of two. That is an entity found, and wrong.",
        ),
        Case(
            label="the wrong kind",
            given={"tags": _split("B1 I1 O B2"), "gold": _split("B2 I2 O B2")},
        ),
        Case(
            label="two entities side by side",
            given={"tags": _split("B1 B1 I1 O B2"), "gold": _split("B1 B1 I1 O B2")},
            hint="B begins an entity, also right behind another one.",
        ),
        Case(
            label="the right kind at another place",
            given={"tags": _split("O B1 O O"), "gold": _split("O O O B1")},
        ),
        Case(
            label="an entity that ends with the text",
            given={"tags": _split("O B1 I1"), "gold": _split("O B1 I1")},
        ),
        Case(label="any tags"),
        Case(label="a text of one word", sizes={"length": 1}),
        Case(label="an empty text", sizes={"length": 0}),
        Case(
            label="nothing found",
            given={"tags": _split("O O O"), "gold": _split("O B1 I1")},
        ),
    ),
    misconceptions=(
        Misconception(
            "you count words that have their tag. An entity is right as a whole or wrong: half a "
            "name is one wrong entity, not one right word",
            (_words, _every_word),
        ),
        Misconception(
            "an entity counts as right where it begins right. Its last word must agree as well",
            (
                _counted(matches=_loose(lambda a, b: (a[0], a[2]) == (b[0], b[2]))),
                _counted(
                    spans=lambda tags: [(i, i, t[2:]) for i, t in enumerate(tags) if t[0] == "B"]
                ),
            ),
        ),
        Misconception(
            "the kind is not compared: a person in the place of a place is wrong",
            (_counted(matches=lambda a, b: len({x[:2] for x in a} & {x[:2] for x in b})),),
        ),
        Misconception(
            "an entity counts as right if it meets one that is wanted. First and last word must "
            "be the same",
            (
                _counted(matches=_loose(lambda a, b: a[0] < b[1] and b[0] < a[1] and a[2] == b[2])),
                _counted(matches=_loose(lambda a, b: a[0] < b[1] and b[0] < a[1])),
            ),
        ),
        Misconception(
            "entities side by side are taken for one. B begins another, also behind an entity of "
            "its own kind",
            (_counted(spans=_merged),),
        ),
        Misconception(
            "the last entity is missing where it ends with the text",
            (_counted(spans=lambda tags: [s for s in _spans(tags) if s[1] < len(tags)]),),
        ),
        Misconception(
            "where the entity stands is not compared: the kind alone is not the entity",
            (_counted(matches=lambda a, b: len({x[2] for x in a} & {x[2] for x in b})),),
        ),
        Misconception(
            "found and wanted stand the other way round: return right, found, wanted",
            (lambda tags, gold: (lambda r, f, w: (r, w, f))(*_counted()(tags, gold)),),
        ),
    ),
    hint="Turn each row of tags into a set of (first word, end, kind). How many are in both sets?",
    solution=count_entities,
)
