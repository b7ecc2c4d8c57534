"""A real corpus of entities, fetched on demand: WNUT-17 (chapter 14)."""

from __future__ import annotations

from attncourse.data.bio import OUTSIDE, TaggedText, may_follow, tag_names
from attncourse.data.downloads import DataError, RemoteFile, fetch, text_lines

WNUT17_KINDS = ("corporation", "creative-work", "group", "location", "person", "product")
WNUT17_TAGS = tag_names(WNUT17_KINDS)
WNUT17_SPLITS = {"train": 3_394, "dev": 1_009, "test": 1_287}  # and how many texts each has
_URL = "https://raw.githubusercontent.com/leondz/emerging_entities_17/master/"
_RELEASED = {
    "train": (
        "wnut17train.conll",
        "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5",
    ),
    "dev": (
        "emerging.dev.conll",
        "e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8",
    ),
    "test": (
        "emerging.test.annotated",
        "2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0",
    ),
}
WNUT17_FILES = {
    split: RemoteFile(f"wnut17/{name}", f"{_URL}{name}", f"sha256:{checksum}")
    for split, (name, checksum) in _RELEASED.items()
}


def wnut17(split: str = "train") -> list[TaggedText]:
    """Read WNUT-17: posts whose names are rare or new, with their entities (chapter 14).

    The files are fetched on first use, 0.8 MB in all, under CC BY 4.0. The training texts are
    tweets; those of the other splits come from elsewhere, and hardly share a name with them.

    Args:
        split: `"train"` (3,394 texts), `"dev"` (1,009) or `"test"` (1,287).

    Returns:
        The texts as released, each with its words and a BIO tag a word.

    Raises:
        DataError: if the file cannot be had, is cut off, or a line is not a word and its tag; the
            message says what to do.
        ValueError: if the split is not among the three.

    Source: Derczynski et al. 2017; the files of github.com/leondz/emerging_entities_17.

    Example:
        >>> wnut17("train")[0].words[14:17]  # doctest: +SKIP
        ('Empire', 'State', 'Building')
    """
    if split not in WNUT17_SPLITS:
        names = ", ".join(map(repr, WNUT17_SPLITS))
        raise ValueError(f"split must be one of {names}, got {split!r}")
    file = WNUT17_FILES[split]
    lines = text_lines(fetch(file).read_bytes(), file)
    texts: list[TaggedText] = []
    words: list[str] = []
    tags: list[str] = []
    for number, line in enumerate([*lines, ""], 1):
        if line.strip():
            word, tag = _word_and_tag(line, tags[-1] if tags else OUTSIDE, file, number)
            words.append(word)
            tags.append(tag)
        elif words:
            texts.append(TaggedText(tuple(words), tuple(tags)))
            words, tags = [], []
    if len(texts) != WNUT17_SPLITS[split]:
        raise DataError(
            f"{file.path} has {len(texts):,} texts where {WNUT17_SPLITS[split]:,} were released: "
            "it is cut off. Delete the file: it will be fetched again."
        )
    return texts


def _word_and_tag(line: str, before: str, file: RemoteFile, number: int) -> tuple[str, str]:
    cells = line.split("\t")
    if len(cells) != 2 or not cells[0].strip() or cells[1] not in WNUT17_TAGS:
        wrong = f"is not a word, a tab and one of the {len(WNUT17_TAGS)} tags"
    elif not may_follow(before, cells[1]):
        wrong = f"goes on with an entity that did not begin, after {before}"
    else:
        return cells[0], cells[1]
    raise DataError(
        f"line {number:,} of {file.path} {wrong}: {line[:60]!r}. "
        "Delete the file: it will be fetched again."
    )
