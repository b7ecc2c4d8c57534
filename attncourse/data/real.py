"""Real corpora of sentence pairs, fetched on demand: Multi30k and Tatoeba (chapters 05 and 11)."""

from __future__ import annotations

from typing import NamedTuple

from attncourse.data.downloads import DataError, RemoteFile, gunzip, text_lines, unzip


class Pair(NamedTuple):
    """A sentence and its translation, as released."""

    source: str
    target: str


MULTI30K_LANGUAGES = ("en", "de", "fr")
MULTI30K_SPLITS = {  # and how many pairs each has
    "train": 29_000,
    "val": 1_014,
    "test_2016_flickr": 1_000,
    "test_2017_flickr": 1_000,
    "test_2017_mscoco": 461,
}
_MULTI30K_URL = (
    "https://raw.githubusercontent.com/multi30k/dataset/"
    "a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw/"
)
_MULTI30K_SHA256 = {
    "train.en": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "train.de": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "train.fr": "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c",
    "val.en": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "val.de": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "val.fr": "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9",
    "test_2016_flickr.en": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "test_2016_flickr.de": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    "test_2016_flickr.fr": "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90",
    "test_2017_flickr.en": "76a444ee25172e72695cddb13ae4a3bda59430617be88e0bb46b60504f054074",
    "test_2017_flickr.de": "a2c89666db00c495cd8513b9d708d5a3acc205d7de312ef2bf5fb7ebc1540aee",
    "test_2017_flickr.fr": "3ba671ceb2299f3304ffafefea7a833d08632fbaf0ba18546f8a2ec2391af496",
    "test_2017_mscoco.en": "aab300bfb4427697987e02cd0aacd44bfe8aa50456231b6474c08038bbed2b58",
    "test_2017_mscoco.de": "799e4854c25d601cb6cb6be29eabe5667734c61ace2f495e03e429031a0bc338",
    "test_2017_mscoco.fr": "754f3072ba9f124569ba5258b32730fc1d214bbf8e0c6dfb2b74401676220db0",
}
MULTI30K_FILES = {
    name: RemoteFile(f"multi30k/{name}.gz", f"{_MULTI30K_URL}{name}.gz", f"sha256:{checksum}")
    for name, checksum in _MULTI30K_SHA256.items()
}

TATOEBA_LANGUAGES = ("en", "fr")  # in the order of the file's columns
TATOEBA_FILE = RemoteFile(
    "tatoeba/fra-eng.zip",
    "https://d2l-data.s3-accelerate.amazonaws.com/fra-eng.zip",
    "sha1:94646ad1522d915e7b0f9296181140edcf86a4f5",
)


def multi30k(source: str = "en", target: str = "fr", split: str = "train") -> list[Pair]:
    """Read Multi30k: captions of photographs in English, German and French (chapter 05).

    The files are fetched on first use, about 1.2 MB for the training pairs of two languages. For
    research and education only: the captions derive from Flickr30k, whose images come under
    Flickr's terms of use.

    Args:
        source: `"en"`, `"de"` or `"fr"`.
        target: another of the three.
        split: `"train"` (29,000 pairs), `"val"` (1,014), `"test_2016_flickr"` (1,000),
            `"test_2017_flickr"` (1,000) or `"test_2017_mscoco"` (461).

    Returns:
        The pairs as released: neither lower-cased nor cut into words.

    Raises:
        DataError: if a file cannot be had or read; the message says what to do.
        ValueError: if a language or the split is not among those above.

    Source: Elliott et al. 2016 (English and German), Elliott et al. 2017 (French and the tests
    of 2017); the files of `data/task1/raw` in github.com/multi30k/dataset.

    Example:
        >>> multi30k("de", "en", "val")[0].target  # doctest: +SKIP
        'A group of men are loading cotton onto a truck'
    """
    _check_languages(source, target, MULTI30K_LANGUAGES)
    if split not in MULTI30K_SPLITS:
        raise ValueError(f"split must be one of {_names(MULTI30K_SPLITS)}, got {split!r}")
    files = [MULTI30K_FILES[f"{split}.{language}"] for language in (source, target)]
    sides = [text_lines(gunzip(file), file) for file in files]
    counts = [len(side) for side in sides]
    if counts[0] != counts[1]:
        raise DataError(
            f"{files[0].path} and {files[1].path} disagree in lines: {counts[0]:,} and "
            f"{counts[1]:,}. Delete both: they will be fetched again."
        )
    for side, file in zip(sides, files, strict=True):
        for number, line in enumerate(side, start=1):
            _check_sentence(line, file, number)
    return [Pair(*pair) for pair in zip(*sides, strict=True)]


def tatoeba(source: str = "en", target: str = "fr") -> list[Pair]:
    """Read the English-French sentences of Tatoeba that Dive into Deep Learning uses (chapter 05).

    The file is fetched on first use. The sentences are by Tatoeba's contributors, under CC BY 2.0
    FR; manythings.org paired them. There is no split, many sentences have several translations,
    and they stand from short to long: split by the English sentence, after shuffling.

    Args:
        source: `"en"` or `"fr"`.
        target: the other one.

    Returns:
        The pairs as released, French no-break spaces included.

    Raises:
        DataError: if the file cannot be had or read; the message says what to do.
        ValueError: if a language is not among the two.

    Source: tatoeba.org and manythings.org/anki; the archive of Zhang et al. 2023, section 10.5.

    Example:
        >>> tatoeba()[0]  # doctest: +SKIP
        Pair(source='Go.', target='Va !')
    """
    _check_languages(source, target, TATOEBA_LANGUAGES)
    columns = [TATOEBA_LANGUAGES.index(language) for language in (source, target)]
    pairs = []
    for number, line in enumerate(
        text_lines(unzip(TATOEBA_FILE, "fra-eng/fra.txt"), TATOEBA_FILE), 1
    ):
        cells = line.split("\t")
        if len(cells) not in (2, 3):  # the third, in later releases, names the authors
            raise DataError(
                f"line {number:,} of {TATOEBA_FILE.path} has {len(cells) - 1} tabs where an "
                f"English and a French sentence have one between them: {line[:60]!r}. "
                "Delete the file: it will be fetched again."
            )
        for cell in cells[:2]:
            _check_sentence(cell, TATOEBA_FILE, number)
        pairs.append(Pair(cells[columns[0]], cells[columns[1]]))
    return pairs


def _names(names) -> str:
    return ", ".join(map(repr, names))


def _check_languages(source: str, target: str, languages: tuple[str, ...]) -> None:
    for argument, language in (("source", source), ("target", target)):
        if language not in languages:
            raise ValueError(f"{argument} must be one of {_names(languages)}, got {language!r}")
    if source == target:
        raise ValueError(f"source and target must differ, got {source!r} for both")


def _check_sentence(sentence: str, file: RemoteFile, number: int) -> None:
    if not sentence.strip():
        raise DataError(
            f"line {number:,} of {file.path} has an empty sentence. "
            "Delete the file: it will be fetched again."
        )
