"""Made-up news, each with its headline, about people whose names are made up too (chapter 13).

Nothing is downloaded. The names in the test articles occur nowhere else: to get them right, a
model has to find them in the article.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from attncourse.checks import require_integer, require_several


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(" ".join(phrase.split()) for phrase in text.split(";"))


FIRST_NAMES = _listed("""
    ada ben carla david edith felix greta hugo ines jonas karin leo marta nils olga paul rosa simon
    tessa victor""")
TOWNS = _listed("""
    ashford bath cork derby exeter falmouth glasgow hull ipswich kendal leeds margate newport oxford
    perth ripon stirling truro wells york""")
PROFESSIONS = _listed("""
    baker banker barber builder carpenter cook dentist doctor driver engineer farmer gardener judge
    lawyer miner nurse painter pilot plumber poet printer sailor singer tailor teacher waiter""")

# What makes news, and how a headline says it. No headline repeats the words of its event.
EVENTS = {
    "bought the old theatre": "acquires playhouse",
    "won the chess cup": "takes board game trophy",
    "opened a school for sailors": "starts nautical academy",
    "found a roman coin": "unearths ancient money",
    "saved a drowning child": "rescues kid from river",
    "swam across the lake": "crosses water without boat",
    "wrote a book about bees": "publishes insect guide",
    "lost the town election": "is defeated at the polls",
    "was hurt in a car crash": "injured in road accident",
    "was named head of the hospital": "becomes clinic director",
    "broke the national running record": "is fastest athlete ever",
    "sold the family farm": "parts with rural estate",
    "painted a mural on the station": "decorates railway building",
    "stole a rare violin": "arrested over missing instrument",
    "built a house of straw": "erects eco home",
    "closed the last coal mine": "ends fossil digging",
    "gave a million to the library": "donates fortune for reading",
    "discovered a new star": "spots unknown sun",
    "grew a giant pumpkin": "harvests enormous vegetable",
    "married a famous actor": "weds film celebrity",
    "sued the water company": "takes utility to court",
    "climbed the church tower": "scales holy spire",
    "trained a deaf dog": "teaches pet sign language",
    "repaired the great clock": "makes landmark tick again",
}
CHORES = _phrases("""
    bought some bread; walked along the river; read a long letter; watered the roses;
    waited for the bus; went home early; cleaned the windows; had soup for lunch; slept until noon;
    sat in the park; lost an umbrella; wrote a postcard; painted a fence; sold two old chairs;
    swam in the morning; closed the shutters""")
FILLERS = _phrases("""
    the weather was mild; trains ran on time all day; the market was full of people;
    a cold wind came from the sea; nobody knows what comes next; the shops close at six;
    many people were surprised; it rained in the evening; the mayor had no comment;
    there was music in the street; the roads were quiet again; more is expected tomorrow""")
WHEN = ("", "", "today", "on monday", "on friday", "this morning")
LONG_AGO = ("last year", "ten years ago", "long ago")

LEAD = 0.2  # the share of articles whose news is put first; in the others it stands anywhere
TRAP = 0.5  # of those that also tell of an event of long ago, somebody else's
NAMES = {"train": 2000, "validation": 250, "test": 500}


@dataclass(frozen=True)
class Article:
    """An article and its headline, in words (chapter 13).

    Attributes:
        text: the article's words, with a full stop after each sentence.
        summary: the headline's words.
        name: the surname that the headline must give.
    """

    text: tuple[str, ...]
    summary: tuple[str, ...]
    name: str

    @property
    def sentences(self) -> list[tuple[str, ...]]:
        """The sentences of the text, each with its full stop."""
        ends = [i + 1 for i, word in enumerate(self.text) if word == "."]
        return [self.text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@dataclass(frozen=True)
class News:
    """Articles in parts (chapter 13).

    Attributes:
        train: what models learn from.
        validation: about people with other surnames, to choose among models.
        test: about people with yet other surnames, to score the one that was chosen.
        familiar: new articles with the surnames of `train`.
        names: the surnames of each part.
    """

    train: tuple[Article, ...]
    validation: tuple[Article, ...]
    test: tuple[Article, ...]
    familiar: tuple[Article, ...]
    names: dict[str, tuple[str, ...]]


def news(
    seed: int = 0,
    *,
    train: int = 12_800,
    validation: int = 500,
    test: int = 500,
    familiar: int = 500,
) -> News:
    """Make news about people whose surnames no two parts share (chapter 13).

    In training few surnames are frequent and most are rare, as in life: the r-th is drawn 1 / r
    times as often as the first. The surnames of validation and test are all equally frequent.

    Args:
        seed: what chance is drawn from, 0 or more.
        train, validation, test, familiar: the numbers of articles.

    Returns:
        The parts. The same arguments give the same articles on every machine.

    Raises:
        TypeError: if an argument is no integer.
        ValueError: if one is negative.

    Example:
        >>> article = news(train=2, validation=0, test=0, familiar=0).train[0]
        >>> print(" ".join(article.sentences[0]))
        driver paul wonbes sued the water company in ripon on monday .
        >>> print(" ".join(article.summary))
        paul wonbes takes utility to court in ripon
    """
    sizes = {"train": train, "validation": validation, "test": test, "familiar": familiar}
    for name, value in {"seed": seed, **sizes}.items():
        require_integer(name, value, least=0)
    surnames = made_up_surnames(sum(NAMES.values()), seed)
    names, start = {}, 0
    for part, count in NAMES.items():
        names[part] = surnames[start : start + count]
        start += count
    parts = {}
    for number, (part, size) in enumerate(sizes.items(), 1):
        known = part in ("train", "familiar")
        parts[part] = write_news(
            names["train" if known else part], size, seed=5 * seed + number, zipf=known
        )
    return News(**parts, names=names)


def write_news(
    surnames: Sequence[str], count: int, *, seed: int = 0, zipf: bool = False
) -> tuple[Article, ...]:
    """Write articles about people with these surnames (chapter 13).

    An article has three to eight sentences about two or three people, of whom one makes news. The
    others do what everybody does, and in half of the articles one of them made news long ago. The
    headline says who made news, what happened in other words, and where.

    Args:
        surnames: at least three, each a word of its own.
        count: the number of articles.
        seed: what chance is drawn from, 0 or more.
        zipf: whether the r-th surname is drawn 1 / r times as often as the first; by default all
            are equally frequent.

    Returns:
        The articles.

    Raises:
        TypeError: if `surnames` is one text, or a number is no integer.
        ValueError: if there are fewer than three surnames, one is no single word or one of the
            articles' own, or a number is negative.

    Example:
        >>> article, = write_news(["smit", "noor", "vale"], 1)
        >>> article.name in article.text, article.name in article.summary
        (True, True)
    """
    require_surnames(surnames)
    require_integer("count", count, least=0)
    require_integer("seed", seed, least=0)
    reporter = _Reporter(surnames, Random(seed), zipf)
    return tuple(reporter.article() for _ in range(count))


def require_surnames(surnames: Sequence[str]) -> None:
    """Refuse surnames that are too few for an article, or could be taken for its other words."""
    require_several("surnames", surnames, "names")
    if len(set(surnames)) < 3:
        raise ValueError(
            f"surnames must hold at least three names for an article, got {len(set(surnames))}"
        )
    for name in surnames:
        if len(name.split()) != 1 or name in OWN_WORDS:
            problem = "one of the articles' own words" if name in OWN_WORDS else "no single word"
            raise ValueError(f"surnames must be names of one word, but {name!r} is {problem}")


def made_up_surnames(count: int, seed: int = 0) -> tuple[str, ...]:
    """Make surnames of two syllables, no two alike (chapter 13).

    Args:
        count: how many, at most 5,000.
        seed: what chance is drawn from, 0 or more.

    Returns:
        The names, in lower case.

    Raises:
        TypeError: if a number is no integer.
        ValueError: if one is negative, or `count` is more than 5,000.

    Example:
        >>> made_up_surnames(3)
        ('lokus', 'linlun', 'prelfat')
    """
    require_integer("count", count, least=0)
    require_integer("seed", seed, least=0)
    if count > 5000:
        raise ValueError(f"count must be at most 5000, got {count}")
    random, found = Random(seed), dict.fromkeys(())
    while len(found) < count:
        syllables = (
            random.choice(onsets) + random.choice(_VOWELS) + random.choice(codas)
            for onsets, codas in ((_ONSETS, _MIDDLES), (_INNER, _CODAS))
        )
        name = "".join(syllables)
        if name not in OWN_WORDS:
            found[name] = None
    return tuple(found)


_ONSETS = _listed("b br d dr f fl g gr h j k kl l m n p pr r s st t tr v w z")
_VOWELS = _listed("a e i o u")
_MIDDLES = ("", "", "l", "n", "r", "s")
_INNER = _listed("b d f g k l m n p r s t v")
_CODAS = ("", "ck", "l", "n", "nd", "r", "rt", "s", "sk", "t", "x")


class _Reporter:
    """Writes one article after another."""

    def __init__(self, surnames: Sequence[str], random: Random, zipf: bool):
        self.surnames = list(surnames)
        self.random = random
        shares = [1 / rank if zipf else 1.0 for rank in range(1, len(surnames) + 1)]
        self.cumulative = list(accumulate(shares))

    def article(self) -> Article:
        pick, chance = self.random.choice, self.random.random
        first, *others = self._people(2 if chance() < 0.5 else 3)
        town, (event, headline) = pick(TOWNS), pick(list(EVENTS.items()))
        told = self._told(first, event, town, pick(WHEN))
        rest = [self._told(each, pick(CHORES), pick(TOWNS), pick(WHEN)) for each in others]
        if chance() < TRAP:
            old = pick([other for other in EVENTS if other != event])
            rest.append(self._told(pick(others), old, pick(TOWNS), pick(LONG_AGO)))
        fillers = self.random.sample(FILLERS, self.random.randint(1, 4))
        rest += [f"{filler} ." for filler in fillers]
        self.random.shuffle(rest)
        place = 0 if chance() < LEAD else self.random.randint(0, len(rest))
        text = " ".join([*rest[:place], told, *rest[place:]])
        _, given, surname = first
        summary = f"{given} {surname} {headline} in {town}"
        return Article(tuple(text.split()), tuple(summary.split()), surname)

    def _people(self, count: int) -> list[tuple[str, str, str]]:
        """Draw people of whom no two share a profession, a first name or a surname."""
        draw = self.random.choices
        names: dict[str, None] = {}
        while len(names) < count:
            (name,) = draw(self.surnames, cum_weights=self.cumulative)
            names[name] = None
        columns = self.random.sample(PROFESSIONS, count), self.random.sample(FIRST_NAMES, count)
        return list(zip(*columns, names, strict=True))

    def _told(self, person: tuple[str, str, str], deed: str, town: str, when: str) -> str:
        """Tell a deed; when it was stands first or last."""
        clause = f"{' '.join(person)} {deed} in {town}"
        if when and self.random.random() < 0.5:
            return f"{when} {clause} ."
        return f"{clause} {when} ." if when else f"{clause} ."


def _words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in text.split()}


OWN_WORDS = frozenset(
    _words([*FIRST_NAMES, *TOWNS, *PROFESSIONS, *EVENTS, *EVENTS.values(), *CHORES, *FILLERS])
    | _words([*WHEN, *LONG_AGO, "in ."])
)
