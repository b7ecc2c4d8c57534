"""How words change in English and French, as far as the embedded corpus needs it (chapter 04)."""

from __future__ import annotations

VOWELS = frozenset("aeiouyàâéèêîïôûœ")
# An h that keeps articles whole: "le hibou", where "l'homme" elides. "Huit" behaves alike.
ASPIRATED = ("hibou", "hamster", "haricot", "héros", "huit")
ELIDED = {
    "le": "l'",
    "la": "l'",
    "de": "d'",
    "ne": "n'",
    "je": "j'",
    "me": "m'",
    "se": "s'",
    "que": "qu'",
}
CONTRACTED = {
    ("de", "le"): "du",
    ("de", "les"): "des",
    ("à", "le"): "au",
    ("à", "les"): "aux",
}
# English words whose first letter misleads "a" and "an".
CONSONANT_SOUND = frozenset({"uniform", "university", "useful"})
VOWEL_SOUND = frozenset({"honest"})


def elides(following: str) -> bool:
    """Say whether a French word makes the one before it drop its vowel (chapter 04).

    Example:
        >>> elides("homme"), elides("hibou"), elides("école"), elides("chat")
        (True, False, True, False)
    """
    if following[0] == "h":
        return not following.startswith(ASPIRATED)
    return following[0] in VOWELS


def article(following: str) -> str:
    """Return "a" or "an", by the English word that follows (chapter 04).

    Example:
        >>> article("owl"), article("university"), article("honest")
        ('an', 'a', 'an')
    """
    vowel = following[0] in "aeiou" and following not in CONSONANT_SOUND
    return "an" if vowel or following in VOWEL_SOUND else "a"


def english_plural(noun: str) -> str:
    """Return the regular plural of an English noun (chapter 04).

    Example:
        >>> [english_plural(noun) for noun in ("dog", "church", "city", "toy")]
        ['dogs', 'churches', 'cities', 'toys']
    """
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def third_person(verb: str) -> str:
    """Return the form of an English verb for "he" and "she" (chapter 04).

    Example:
        >>> [third_person(verb) for verb in ("eat", "go", "wash", "hurry", "buy")]
        ['eats', 'goes', 'washes', 'hurries', 'buys']
    """
    return verb + "es" if verb.endswith("o") else english_plural(verb)


def past(verb: str) -> str:
    """Return the regular past of an English verb (chapter 04).

    Example:
        >>> [past(verb) for verb in ("help", "dance", "hurry", "play")]
        ['helped', 'danced', 'hurried', 'played']
    """
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ied"
    return verb + "ed"


def french_plural(word: str) -> str:
    """Return the regular plural of a French noun or adjective (chapter 04).

    Example:
        >>> [french_plural(word) for word in ("chat", "souris", "oiseau", "cheval")]
        ['chats', 'souris', 'oiseaux', 'chevaux']
    """
    if word.endswith(("s", "x")):
        return word
    if word.endswith("au"):
        return word + "x"
    if word.endswith("al"):
        return word[:-1] + "ux"
    return word + "s"


def agreeing(masculine: str, feminine: str = "") -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the forms of a French adjective or participle (chapter 04).

    Args:
        masculine: the masculine singular.
        feminine: the feminine singular where it is irregular.

    Returns:
        ((masculine singular, plural), (feminine singular, plural)).

    Example:
        >>> agreeing("petit"), agreeing("beau", "belle")
        ((('petit', 'petits'), ('petite', 'petites')), (('beau', 'beaux'), ('belle', 'belles')))
    """
    feminine = feminine or (masculine if masculine.endswith("e") else masculine + "e")
    return (masculine, french_plural(masculine)), (feminine, french_plural(feminine))


def conjugate(infinitive: str) -> tuple[str, ...]:
    """Conjugate a regular French verb (chapter 04).

    Args:
        infinitive: in -er, in -ir like choisir, or in -re like vendre.

    Returns:
        The present of je, il, nous, vous and ils, and the past participle.

    Raises:
        ValueError: if the ending is another.

    Example:
        >>> conjugate("manger")
        ('mange', 'mange', 'mangeons', 'mangez', 'mangent', 'mangé')
        >>> conjugate("vendre")
        ('vends', 'vend', 'vendons', 'vendez', 'vendent', 'vendu')
    """
    endings = {
        "er": "e e ons ez ent é",
        "ir": "is it issons issez issent i",
        "re": "s - ons ez ent u",
    }
    stem, ending = infinitive[:-2], infinitive[-2:]
    if ending not in endings:
        raise ValueError(f"infinitive must end in -er, -ir or -re, got {infinitive!r}")
    forms = [stem + part.strip("-") for part in endings[ending].split()]
    if infinitive.endswith("ger"):
        forms[2] = stem + "eons"
    return tuple(forms)


def imperfect(nous: str) -> tuple[str, ...]:
    """Return the imperfect of je, il, nous, vous and ils, from the present of nous (chapter 04).

    Example:
        >>> imperfect("aimons")
        ('aimais', 'aimait', 'aimions', 'aimiez', 'aimaient')
        >>> imperfect("mangeons")[:3]
        ('mangeais', 'mangeait', 'mangions')
    """
    stem = nous.removesuffix("ons")
    # The e of "mangeons" keeps the g soft before a and o; before i it is soft by itself.
    soft = stem.removesuffix("e") if stem.endswith("ge") else stem
    return stem + "ais", stem + "ait", soft + "ions", soft + "iez", stem + "aient"
