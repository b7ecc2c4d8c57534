"""attncourse.data.translation: the parts of the corpus, its French read back, its links."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import pairwise

import pytest
from corpus_rules import (
    ADJECTIVE_FORMS,
    BEFORE_FORMS,
    DETERMINER_FORMS,
    NOUN_FORMS,
    starts_with_vowel,
)

from attncourse.data.grammar.lexicon import adjectives, nouns, verbs
from attncourse.data.translation import detokenise, translation_pairs

PARTS = ("train", "validation", "composition", "length")
BE = {"suis", "est", "sommes", "êtes", "sont", "étais", "était", "étions", "étiez", "étaient"}
NEITHER = {"ne", "n'", "pas", "jamais"}


@pytest.fixture(scope="module")
def corpus():
    return translation_pairs()


@pytest.fixture(scope="module")
def pairs(corpus):
    return [pair for part in PARTS for pair in getattr(corpus, part)]


def neighbours(pairs):
    for pair in pairs:
        yield from pairwise(pair.target)


def neighbours_with_kinds(pairs):
    for pair in pairs:
        yield from pairwise(zip(pair.target, pair.kinds, strict=True))


# Elision and contraction


def test_nothing_that_elides_stands_before_a_vowel(pairs):
    elides = {"le", "la", "de", "ne", "je", "me", "se", "que", "ce", "ma", "sa"}
    bad = {(a, b) for a, b in neighbours(pairs) if a in elides and starts_with_vowel(b)}
    assert bad == set()


def test_nothing_is_elided_before_a_consonant(pairs):
    elided = {"cet"}
    found = Counter()
    for a, b in neighbours(pairs):
        if a in elided or (a.endswith("'") and len(a) <= 3):
            assert starts_with_vowel(b), (a, b)
            found[a] += 1
    assert set(found) == {"l'", "d'", "n'", "j'", "m'", "s'", "qu'", "cet"}


def test_prepositions_contract_with_articles(pairs):
    apart = {("de", "le"), ("de", "les"), ("à", "le"), ("à", "les")}
    assert apart & set(neighbours(pairs)) == set()
    assert {"du", "des", "au", "aux"} <= {word for pair in pairs for word in pair.target}


def test_beau_vieux_nouveau_change_before_a_vowel_and_only_there(pairs):
    special = {"bel": "beau", "vieil": "vieux", "nouvel": "nouveau"}
    found = set()
    for (a, _), (b, kind) in neighbours_with_kinds(pairs):
        if a in special:
            assert kind == "noun"
            assert starts_with_vowel(b), (a, b)
            found.add(a)
        elif a in special.values() and kind == "noun":
            plural = a == "vieux" and (False, True) in NOUN_FORMS[b]
            assert plural or not starts_with_vowel(b), (a, b)
    assert found == set(special)


def test_son_stands_before_a_feminine_vowel(pairs):
    feminine = {b for a, b in neighbours(pairs) if a in ("mon", "son") and b in NOUN_FORMS}
    feminine = {word for word in feminine if NOUN_FORMS[word] == {(True, False)}}
    assert {"école", "assiette", "échelle"} <= feminine
    assert all(starts_with_vowel(word) for word in feminine)


# Agreement, read from the words alone


def phrases(pair):
    """Yield each noun with the words before it up to its determiner, and the adjective after."""
    for at, kind in enumerate(pair.kinds):
        if kind != "noun":
            continue
        start = at
        while start and pair.kinds[start - 1] in ("adjective", "number", "determiner", "article"):
            start -= 1
            if pair.target[start] in DETERMINER_FORMS and pair.kinds[start] != "number":
                break
        after = at + 1 < len(pair.kinds) and pair.kinds[at + 1] == "adjective"
        yield at, pair.target[start:at], pair.target[at], pair.target[at + 1 : at + 1 + after]


def test_words_agree_with_their_noun_in_gender_and_number(pairs):
    count = 0
    for pair in pairs:
        for _, before, noun, after in phrases(pair):
            readings = set(NOUN_FORMS[noun])
            for word in before:
                if word in ("de", "d'", "beaucoup"):
                    continue
                readings &= ADJECTIVE_FORMS.get(word) or DETERMINER_FORMS[word]
            for word in after:
                readings &= ADJECTIVE_FORMS[word]
            assert readings, detokenise(pair.target)
            count += 1
    assert count > 60_000


def test_adjectives_stand_on_their_side(pairs):
    for pair in pairs:
        for _, before, _, after in phrases(pair):
            assert all(word in BEFORE_FORMS for word in before if word in ADJECTIVE_FORMS)
            assert not any(word in BEFORE_FORMS for word in after)


def test_some_is_de_before_a_plural_adjective(pairs):
    found = 0
    for pair in pairs:
        for at, (word, kind) in enumerate(zip(pair.target, pair.kinds, strict=True)):
            if kind == "article" and word == "des":
                assert pair.kinds[at + 1] == "noun", detokenise(pair.target)
            if kind == "article" and word == "de" and pair.kinds[at + 1] == "adjective":
                found += 1
    assert found > 300


def test_only_a_verb_without_a_preposition_makes_an_article_de(pairs):
    """Say "pas de chien", but "pas avec un chien"."""
    found = Counter()
    for (a, before), (b, kind) in neighbours_with_kinds(pairs):
        if kind == "article" and b in ("de", "d'"):
            assert before != "preposition", (a, b)
            found[before] += 1
    assert found["negation"] > 100


def first_subject(pair):
    """Return the readings of a subject that is one noun at the start, and where it ends."""
    end = 0
    while pair.kinds[end] in ("article", "determiner", "number", "adjective", "noun"):
        end += 1
    if pair.kinds[:end].count("noun") != 1:
        return None, end
    subject = next(phrases(pair))
    if pair.kinds[end] not in ("verb", "auxiliary", "negation") and pair.target[end] != "s'":
        return None, end
    readings = set(NOUN_FORMS[subject[2]])
    for word in subject[1]:
        readings &= ADJECTIVE_FORMS.get(word) or DETERMINER_FORMS.get(word, readings)
    if "beaucoup" in pair.target[:end] or "de" in subject[1]:
        readings &= {(False, True), (True, True)}
    return readings, end


def predicate_after(pair, end):
    """Return the finite verb and the adjective or participle that belongs to it, if any."""
    rest = [
        (word, kind)
        for word, kind in zip(pair.target[end:], pair.kinds[end:], strict=True)
        if word not in NEITHER and word not in ("se", "s'") and kind != "adverb"
    ]
    return rest[0], rest[1]


def test_predicates_agree_with_a_subject_at_the_start(pairs):
    participles = defaultdict(set)
    finite = defaultdict(set)
    for v in verbs():
        for feminine in (False, True):
            for plural in (False, True):
                participles[v.participle[feminine][plural]].add((feminine, plural))
        for forms in (v.present, v.imperfect):
            finite[forms[1]].add(False)
            finite[forms[4]].add(True)
    one_and_many = "est sont était étaient a ont peut peuvent doit doivent veut veulent va vont"
    for one, many in re.findall(r"(\w+) (\w+)", one_and_many):
        finite[one].add(False)
        finite[many].add(True)
    seen = Counter()
    for pair in pairs:
        readings, end = first_subject(pair)
        if readings is None:
            continue
        (verb, kind), (second, second_kind) = predicate_after(pair, end)
        if kind == "pronoun":
            continue
        assert {plural for _, plural in readings} & finite[verb], detokenise(pair.target)
        seen["verb"] += 1
        if verb in BE and second_kind == "adjective":
            assert readings & ADJECTIVE_FORMS[second], detokenise(pair.target)
            seen["adjective"] += 1
        elif verb in ("est", "sont") and kind == "auxiliary":
            assert readings & participles[second], detokenise(pair.target)
            seen["participle"] += 1
        elif kind == "auxiliary":
            assert (False, False) in participles[second], detokenise(pair.target)
            seen["without agreement"] += 1
    assert min(seen.values()) > 150
    assert seen["verb"] > 4000


def test_participles_agree_with_the_object_before_them(pairs):
    participles = defaultdict(set)
    for v in verbs():
        for feminine in (False, True):
            for plural in (False, True):
                participles[v.participle[feminine][plural]].add((feminine, plural))
    having = {"ai", "a", "avons", "avez", "ont"}
    described = kept = 0
    for pair in pairs:
        words, kinds = pair.target, pair.kinds
        for at, word in enumerate(words):
            if word not in having or kinds[at] != "auxiliary":
                continue
            second = at + 1
            while kinds[second] in ("negation", "adverb"):
                second += 1
            readings = participles[words[second]]
            before = at - 1
            if words[before] in ("les", "l'"):
                clitic = pair.source[next(s for s, t in pair.sure if t == before)]
                gender = {"her": (True, False), "him": (False, False), "them": (False, True)}
                assert gender[clitic] in readings
                kept += 1
                continue
            start = max((i for i in range(at) if words[i] in ("que", "qu'")), default=-1)
            between = kinds[start + 1 : at]
            direct = start > 0 and kinds[start] == "pronoun"
            direct &= not {"verb", "auxiliary", "conjunction", "punctuation"} & set(between)
            if direct and not {"qui", "où"} & set(words[start:at]):
                noun = start - 1 if kinds[start - 1] == "noun" else start - 2
                owned = any(kinds[i] == "preposition" for i in range(max(0, noun - 6), noun))
                if owned or kinds[noun] != "noun":
                    continue
                (before_noun,) = (b for n, b, *_ in phrases(pair) if n == noun)
                wanted = set(NOUN_FORMS[words[noun]])
                for part in before_noun:
                    wanted &= ADJECTIVE_FORMS.get(part) or DETERMINER_FORMS.get(part, wanted)
                assert wanted & readings, detokenise(words)
                described += 1
    assert described > 1000
    assert kept > 200


def test_negation_has_two_parts_around_the_verb(pairs):
    for pair in pairs:
        parts = [at for at, kind in enumerate(pair.kinds) if kind == "negation"]
        english = sum(word in ("not", "never", "cannot") for word in pair.source)
        assert len(parts) == 2 * english
        for ne, pas in zip(parts[::2], parts[1::2], strict=True):
            assert pair.target[ne] in ("ne", "n'")
            assert pair.target[pas] in ("pas", "jamais")
            *clitics, verb = pair.kinds[ne + 1 : pas]
            assert verb in ("verb", "auxiliary")
            assert set(clitics) <= {"pronoun"}


# Alignments


def test_links_are_in_range_and_sure_ones_are_possible(pairs):
    for pair in pairs:
        assert len(pair.kinds) == len(pair.target)
        assert pair.sure <= pair.possible
        assert {s for s, _ in pair.possible} == set(range(len(pair.source)))
        assert {t for _, t in pair.possible} == set(range(len(pair.target)))


def test_every_content_word_has_its_translation(pairs):
    french = defaultdict(set)
    for n in nouns():
        for one, other in zip(n.english, n.french, strict=True):
            french["noun", one].add(other)
    for a in adjectives():
        french["adjective", a.english] |= {a.before_vowel, *a.french[0], *a.french[1]}
    for v in verbs():
        forms = {*v.present, *v.imperfect, *v.participle[0], *v.participle[1], v.infinitive}
        for english in v.english:
            french["verb", english] |= forms
    for english, forms in {
        "can": "peux peut pouvons pouvez peuvent",
        "must": "dois doit devons devez doivent",
        "want": "veux veut voulons voulez veulent",
        "going": "vais va allons allez vont",
        "is": "est était",
        "are": "sommes êtes sont",
        "am": "suis",
        "was": "étais était",
        "were": "étions étiez étaient",
    }.items():
        french["verb", english] |= set(forms.split())
    french["verb", "cannot"] = french["verb", "can"]
    french["verb", "wants"] = french["verb", "want"]
    words = set().union(*(f for (k, _), f in french.items() if k == "noun"))
    for pair in pairs:
        linked = defaultdict(list)
        back = defaultdict(list)
        for s, t in pair.sure:
            linked[t].append(s)
            back[s].append(t)
        for t, kind in enumerate(pair.kinds):
            if kind in ("noun", "verb", "adjective"):
                (s,) = linked[t]
                assert pair.target[t] in french[kind, pair.source[s]], detokenise(pair.target)
        for s, word in enumerate(pair.source):
            if ("noun", word) in french:
                assert [pair.target[t] in words for t in back[s]].count(True) == 1
            elif ("adjective", word) in french:
                assert len(back[s]) == 1


def test_an_article_is_possibly_linked_with_its_noun(pairs):
    for pair in pairs[:5000]:
        heads = {s for s, t in pair.sure if pair.kinds[t] == "noun"}
        for t, kind in enumerate(pair.kinds):
            if kind == "article":
                assert heads & {s for s, other in pair.possible - pair.sure if other == t}


def test_one_english_sentence_has_one_translation(pairs):
    assert len({pair.source for pair in pairs}) == len(pairs)


# Parts


def combinations(pair, bases):
    """Read from the links which adjectives and verbs go with which nouns, in English."""
    head = {s for s, t in pair.sure if pair.kinds[t] == "noun"}
    own = {t: s for s, t in pair.sure}
    extra = defaultdict(set)
    for s, t in pair.possible - pair.sure:
        extra[t].add(s)
    found = set()
    for t, kind in enumerate(pair.kinds):
        partners = extra[t] & head
        if kind == "adjective":
            found |= {(pair.source[own[t]], pair.source[s]) for s in partners}
        elif kind == "auxiliary" or (kind == "verb" and pair.target[t] not in BE):
            before = t - 1
            while pair.kinds[before] in ("negation", "adverb"):
                before -= 1
            if pair.kinds[before] == "auxiliary":
                continue  # a participle: its auxiliary has spoken for it
            main = t
            modal = pair.source[own[t]] in ("can", "cannot", "must", "want", "wants", "going")
            if kind == "auxiliary" or modal:
                main = next(i for i in range(t + 1, len(pair.kinds)) if pair.kinds[i] == "verb")
            found |= {(bases[pair.source[own[main]]], pair.source[s]) for s in partners}
    return found


@pytest.fixture(scope="module")
def bases():
    return {form: v.english[0] for v in verbs() for form in v.english}


def singular(found):
    one = {n.english[1]: n.english[0] for n in nouns()}
    return {(other, one.get(noun, noun)) for other, noun in found}


def test_every_composition_pair_joins_words_that_training_keeps_apart(corpus, bases):
    met = set().union(*(singular(combinations(pair, bases)) for pair in corpus.train))
    assert len(met) > 1500
    kinds = Counter()
    adjective = {a.english for a in adjectives()}
    for pair in corpus.composition:
        new = singular(combinations(pair, bases)) - met
        assert new, detokenise(pair.source)
        kinds.update("adjective" if other in adjective else "verb" for other, _ in new)
    assert min(kinds.values()) > 200
    for part in (corpus.validation, corpus.length):
        unmet = sum(bool(singular(combinations(pair, bases)) - met) for pair in part)
        assert unmet < 0.01 * len(part)


def test_every_word_of_the_tests_is_in_training(corpus):
    english = {word for pair in corpus.train for word in pair.source}
    french = {word for pair in corpus.train for word in pair.target}
    assert len(english) >= 300
    assert len(french) >= 300
    # In so small a training part many words are missing.
    small = translation_pairs(train=500, validation=60, composition=60, length=5)
    for whole in (corpus, small):
        english = {word for pair in whole.train for word in pair.source}
        french = {word for pair in whole.train for word in pair.target}
        for part in PARTS[1:]:
            for pair in getattr(whole, part):
                assert english.issuperset(pair.source)
                assert french.issuperset(pair.target)


def test_the_parts_have_their_sizes_and_share_nothing(corpus):
    assert [len(getattr(corpus, part)) for part in PARTS] == [20_000, 1000, 1000, 1000]
    sources = [pair.source for part in PARTS for pair in getattr(corpus, part)]
    assert len(set(sources)) == len(sources)


def test_lengths_are_spread_and_the_length_part_is_longer(corpus):
    lengths = Counter(len(pair.source) for pair in corpus.train)
    assert (min(lengths), max(lengths)) == (3, 25)
    assert min(lengths[words] for words in range(4, 26)) > 300
    assert min(lengths[words] for words in range(6, 26)) > 700
    assert {len(pair.source) for pair in corpus.length} == set(range(26, 37))
    assert max(len(pair.source) for pair in corpus.composition) <= 25


def test_other_seeds_draw_other_sentences_and_keep_the_same_words_apart(corpus, bases):
    met = set().union(*(singular(combinations(pair, bases)) for pair in corpus.train))
    other = translation_pairs(seed=1, train=3000, validation=0, composition=100, length=0)
    same = {pair.source for pair in corpus.train} & {pair.source for pair in other.train}
    assert len(same) < 300
    assert all(singular(combinations(pair, bases)) - met for pair in other.composition)


def test_a_smaller_training_part_begins_a_larger_one(corpus):
    small = translation_pairs(train=700, validation=0, composition=0, length=0)
    assert small.train == corpus.train[:700]


DIGEST = """
import hashlib
from attncourse.data.translation import translation_pairs
pairs = translation_pairs(seed=5, train=2000, validation=50, composition=50, length=50)
text = repr([
    (p.source, p.target, sorted(p.sure), sorted(p.possible), p.kinds)
    for part in (pairs.train, pairs.validation, pairs.composition, pairs.length)
    for p in part
])
print(hashlib.sha256(text.encode()).hexdigest()[:16])
"""


def test_the_corpus_is_the_same_in_every_process_and_on_every_machine():
    found = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for hash_seed in ("0", "1")
    }
    # Recorded once. It changes with the grammar or its words, and then every recorded result on
    # this corpus has to be made again.
    assert found == {"f5fe9b02f6b9ece9"}


def test_what_is_asked_for_wrongly_is_refused():
    with pytest.raises(ValueError, match="train must be 0 or more, got -1"):
        translation_pairs(train=-1)
    with pytest.raises(ValueError, match="max_words must be 3 or more, got 2"):
        translation_pairs(max_words=2)
    with pytest.raises(ValueError, match="train asks for 500 pairs, but after"):
        translation_pairs(train=500, max_words=3)
    with pytest.raises(ValueError, match=r"validation asks .* whose words are all in training"):
        translation_pairs(train=3, validation=50)


def test_a_wrong_type_is_refused(own_errors):
    with pytest.raises(TypeError, match="seed must be a whole number, got float"):
        translation_pairs(seed=0.5)
    with pytest.raises(TypeError, match="train must be a whole number, got bool"):
        translation_pairs(train=True)


# Printing


def test_sentences_are_printed_as_they_are_written(pairs):
    said = detokenise(["aujourd'hui", ",", "j'", "ai", "vu", "l'", "âne", "."], "fr")
    assert said == "Aujourd'hui, j'ai vu l'âne."
    said = detokenise(["why", "can", "i", "see", "the", "french", "boy", "'s", "dog", "?"])
    assert said == "Why can I see the French boy's dog?"
    assert detokenise([]) == ""
    for pair in pairs[:2000]:
        assert detokenise(pair.target, "fr")[0].isupper()
    with pytest.raises(ValueError, match='language must be "en" or "fr", got \'de\''):
        detokenise(["ja"], "de")
