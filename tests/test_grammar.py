"""attncourse.data.grammar: French by rules written apart from the grammar, and its alignments."""

from __future__ import annotations

import re

import pytest
from corpus_rules import BEFORE, FEMININE, H_ASPIRATED, H_MUTE, NOUNS, starts_with_vowel

from attncourse.data.grammar.choices import choices, held_out
from attncourse.data.grammar.clauses import Clause, Relative, say
from attncourse.data.grammar.inflection import conjugate
from attncourse.data.grammar.lexicon import adjectives, nouns, phrases, verbs
from attncourse.data.grammar.nominals import Fixed, Group, Nominal, Pronoun
from attncourse.data.grammar.predicates import Predicate
from attncourse.data.grammar.words import PREDICATIVE


def noun(english):
    return next(noun for noun in nouns() if noun.english[0] == english)


def adjective(english):
    return next(adjective for adjective in adjectives() if adjective.english == english)


def verb(infinitive):
    return next(verb for verb in verbs() if verb.infinitive == infinitive)


def nominal(english, determiner="the", plural=False, **parts):
    made = Nominal(noun(english), plural, determiner)
    for name, part in parts.items():
        setattr(made, name, part)
    return made


def predicate(infinitive, past=False, **parts):
    made = Predicate(verb(infinitive) if infinitive else None, past)
    for name, part in parts.items():
        setattr(made, name, part)
    return made


def french(clause, **how):
    return " ".join(say(clause, **how).target)


def links(text):
    """Read links written as the course's readers write them: "0-1 2-3"."""
    return {tuple(map(int, link.split("-"))) for link in text.split()}


# Words, against tables written by hand


def test_every_noun_has_its_gender_and_plural():
    assert {n.french[0]: (n.feminine, n.french[1]) for n in nouns()} == NOUNS


def test_every_adjective_has_its_feminine():
    found = {a.french[0][0]: a.french[1][0] for a in adjectives()}
    assert found == FEMININE


def test_adjectives_before_the_noun_are_those_of_beauty_age_goodness_and_size():
    assert {a.french[0][0] for a in adjectives() if a.precedes} == BEFORE
    assert {a.english for a in adjectives() if a.precedes} >= PREDICATIVE


def test_every_word_with_an_h_is_known_to_elide_or_not():
    begins = {n.french[0] for n in nouns()} | {a.french[0][0] for a in adjectives()}
    begins |= {v.infinitive for v in verbs()}
    assert {word for word in begins if word[0] == "h"} == (H_MUTE | H_ASPIRATED) - {"huit"}


@pytest.mark.parametrize(
    ("infinitive", "forms"),
    [
        ("manger", "mange mange mangeons mangez mangent mangé"),
        ("nager", "nage nage nageons nagez nagent nagé"),
        ("choisir", "choisis choisit choisissons choisissez choisissent choisi"),
        ("attendre", "attends attend attendons attendez attendent attendu"),
        ("acheter", "achète achète achetons achetez achètent acheté"),
        ("boire", "bois boit buvons buvez boivent bu"),
        ("voir", "vois voit voyons voyez voient vu"),
        ("lire", "lis lit lisons lisez lisent lu"),
        ("écrire", "écris écrit écrivons écrivez écrivent écrit"),
        ("ouvrir", "ouvre ouvre ouvrons ouvrez ouvrent ouvert"),
        ("connaître", "connais connaît connaissons connaissez connaissent connu"),
        ("suivre", "suis suit suivons suivez suivent suivi"),
        ("aller", "vais va allons allez vont allé"),
        ("venir", "viens vient venons venez viennent venu"),
        ("dire", "dis dit disons dites disent dit"),
        ("savoir", "sais sait savons savez savent su"),
        ("dormir", "dors dort dormons dormez dorment dormi"),
        ("courir", "cours court courons courez courent couru"),
    ],
)
def test_verbs_conjugate(infinitive, forms):
    *present, participle = forms.split()
    assert list(verb(infinitive).present) == present
    assert verb(infinitive).participle[0][0] == participle


def test_only_verbs_of_moving_and_staying_and_reflexive_ones_take_etre():
    expected = {"tomber", "arriver", "rester", "aller", "venir", "entrer"}
    expected |= {"reposer", "dépêcher", "arrêter"}
    assert {v.infinitive for v in verbs() if v.with_etre} == expected


def test_an_unknown_ending_is_refused():
    with pytest.raises(ValueError, match="must end in -er, -ir or -re, got 'avoi'"):
        conjugate("avoi")


# Every determiner before every noun, every adjective with every noun


def test_articles_and_demonstratives_fit_every_noun():
    for n in nouns():
        vowel, f = starts_with_vowel(n.french[0]), n.feminine
        subject = Pronoun("he")
        expected = {
            "the": "l'" if vowel else "la" if f else "le",
            "this": "cette" if f else "cet" if vowel else "ce",
            "my": "mon" if vowel or not f else "ma",
            "her": "son" if vowel or not f else "sa",
        }
        if not n.mass:
            expected["a"] = "une" if f else "un"
        else:
            expected["some"] = "de l'" if vowel else "de la" if f else "du"
        for english, determiner in expected.items():
            clause = Clause(subject, [predicate("voir", object=Nominal(n, False, english))])
            assert french(clause) == f"il voit {determiner} {n.french[0]} .", english
        near = Fixed(next(p for p in phrases("preposition") if p.english == ("near",)))
        near.nominal = Nominal(n, False, "the")
        place = "de l'" if vowel else "de la" if f else "du"
        clause = Clause(subject, [predicate("dormir", place=near)])
        assert french(clause) == f"il dort près {place} {n.french[0]} ."


def test_adjectives_agree_with_every_noun_and_stand_on_their_side():
    special = {"beau": "bel", "vieux": "vieil", "nouveau": "nouvel"}
    plurals = {"beau": "beaux", "nouveau": "nouveaux"}
    for n in nouns():
        for a in adjectives():
            one = FEMININE[a.french[0][0]] if n.feminine else a.french[0][0]
            many = plurals.get(one, one if one[-1] in "sx" else one + "s")
            if starts_with_vowel(n.french[0]) and a.precedes:
                one = special.get(one, one)
            for plural, form in enumerate((one, many)):
                words = [form, n.french[plural]]
                words = words if a.french[0][0] in BEFORE else words[::-1]
                side = "before" if a.precedes else "after"
                thing = Nominal(n, bool(plural), "the")
                setattr(thing, side, a)
                said = french(Clause(thing, [predicate("dormir")]))
                assert " ".join(words) in said


def test_some_becomes_de_before_an_adjective_and_after_a_negation():
    horses = nominal("horse", "some", True)
    assert french(Clause(Pronoun("i"), [predicate("voir", object=horses)])) == (
        "je vois des chevaux ."
    )
    horses.before = adjective("old")
    assert french(Clause(Pronoun("i"), [predicate("voir", object=horses)])) == (
        "je vois de vieux chevaux ."
    )
    orange = nominal("orange", "a")
    said = say(Clause(Pronoun("i"), [predicate("manger", object=orange, negation="not")]))
    assert " ".join(said.source) == "i do not eat an orange ."
    assert " ".join(said.target) == "je ne mange pas d' orange ."


# Sentences by hand, with their gold links


def test_a_noun_phrase_is_turned_round():
    boy = nominal("boy", before=adjective("young"))
    horse = nominal("horse", owner=boy, before=adjective("beautiful"), after=adjective("black"))
    pair = say(Clause(horse, [predicate("dormir")]))
    assert " ".join(pair.source) == "the young boy 's beautiful black horse sleeps ."
    assert " ".join(pair.target) == "le beau cheval noir du jeune garçon dort ."
    assert pair.sure == links("4-1 6-2 5-3 3-4 1-5 2-6 7-7 8-8")
    assert pair.possible - pair.sure == links("3-0 6-0 6-1 6-3 0-4 2-4 2-5 6-7")
    assert pair.kinds == (
        *("article", "adjective", "noun", "adjective", "preposition", "adjective", "noun"),
        *("verb", "punctuation"),
    )


def test_negation_stands_around_the_helper_and_its_pronoun():
    pair = say(Clause(Pronoun("she"), [predicate("voir", True, negation="not", pronoun="them")]))
    assert " ".join(pair.source) == "she did not see them ."
    assert " ".join(pair.target) == "elle ne les a pas vus ."
    # did-a, see-vus, and "not" twice; the participle takes its plural from "them"
    assert pair.sure == links("0-0 2-1 4-2 1-3 2-4 3-5 5-6")
    assert pair.possible - pair.sure == links("3-3 0-3 1-5 4-5")


def test_a_participle_agrees_with_the_object_before_it():
    letters = nominal("letter", plural=True)
    letters.relative = Relative(letters, "object", Pronoun("i"), predicate("écrire", True))
    pair = say(Clause(letters, [predicate(None, adjective=adjective("long"))]))
    assert " ".join(pair.source) == "the letters that i wrote are long ."
    assert " ".join(pair.target) == "les lettres que j' ai écrites sont longues ."
    assert (1, 5) in pair.possible - pair.sure
    assert (4, 4) in pair.sure
    assert (4, 5) in pair.sure


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("he", "il est allé à l' école ."),
        ("she", "elle est allée à l' école ."),
        ("we", "nous sommes allés à l' école ."),
        ("you", "vous êtes allé à l' école ."),
    ],
)
def test_a_participle_agrees_with_the_subject_after_etre(subject, said):
    clause = Clause(Pronoun(subject), [predicate("aller", True, object=nominal("school"))])
    assert french(clause) == said


def test_two_subjects_are_masculine_unless_both_are_feminine():
    def tired(first, second):
        both = Group(nominal(first), nominal(second))
        return french(Clause(both, [predicate(None, adjective=adjective("tired"))]))

    assert tired("girl", "boy") == "la fille et le garçon sont fatigués ."
    assert tired("girl", "queen") == "la fille et la reine sont fatiguées ."


def test_a_question_is_asked_with_est_ce_que():
    pair = say(Clause(Pronoun("he"), [predicate("aimer", object=nominal("owl"))]), asked=True)
    assert " ".join(pair.source) == "does he love the owl ?"
    assert " ".join(pair.target) == "est-ce qu' il aime le hibou ?"
    assert pair.sure == links("0-0 1-2 2-3 3-4 4-5 5-6")
    why = Fixed(phrases("question")[0])
    clause = Clause(Pronoun("we"), [predicate("reposer", modal="going to")])
    pair = say(clause, asked=True, question=why)
    assert " ".join(pair.source) == "why are we going to rest ?"
    assert " ".join(pair.target) == "pourquoi est-ce que nous allons nous reposer ?"
    assert pair.sure == links("0-0 2-3 3-4 5-6 6-7")


@pytest.mark.parametrize(
    ("parts", "english", "said"),
    [
        ({"modal": "can", "negation": "not"}, "i cannot see her .", "je ne peux pas la voir ."),
        ({"modal": "want to"}, "i want to see her .", "je veux la voir ."),
        (
            {"modal": "want to", "negation": "not"},
            "i do not want to see her .",
            "je ne veux pas la voir .",
        ),
        ({"negation": "never"}, "i never see her .", "je ne la vois jamais ."),
        ({"past": True, "negation": "never"}, "i never saw her .", "je ne l' ai jamais vue ."),
    ],
)
def test_modal_verbs_and_negations_order_the_words_of_both_languages(parts, english, said):
    pair = say(Clause(Pronoun("i"), [predicate("voir", pronoun="her", **parts)]))
    assert " ".join(pair.source) == english
    assert " ".join(pair.target) == said


def test_an_adverb_moves_behind_the_verb():
    often = Fixed(phrases("frequency")[0])
    clause = Clause(nominal("goat"), [predicate("manger", True, frequency=often)])
    clause.predicates[0].object = nominal("apple", "some", True)
    pair = say(clause)
    assert " ".join(pair.source) == "the goat often ate some apples ."
    assert " ".join(pair.target) == "la chèvre a souvent mangé des pommes ."


def test_english_articles_follow_the_sound():
    for word, article in {"owl": "an", "uniform": "a", "university": "a", "hotel": "a"}.items():
        pair = say(Clause(Pronoun("he"), [predicate("voir", object=nominal(word, "a"))]))
        assert " ".join(pair.source) == f"he sees {article} {word} ."


# What is held out


def test_every_word_keeps_partners_in_training():
    seen, unseen = choices(False), choices(True)
    for n in nouns():
        assert seen.predicative[n], n.english
        if n.kind in ("person", "animal"):
            assert len(seen.verbs[n]) > 3 * len(unseen.verbs[n])
    for key, doers in seen.subjects.items():
        assert doers, key
    for a in adjectives():
        kept = [n for n in nouns() if n.kind in a.kinds and not held_out(n, a)]
        assert len(kept) > 2, a.english


def test_verbs_that_share_their_english_word_are_held_out_together():
    for english in ("look", "know", "think"):
        assert len({v.index for v in verbs() if v.english[0] == english}) == 1


def test_no_two_words_are_confused():
    assert len({n.english[0] for n in nouns()}) == len(nouns())
    assert len({n.french[0] for n in nouns()}) == len(nouns())
    assert len({a.english for a in adjectives()}) == len(adjectives())
    for n in nouns():
        assert re.fullmatch("[a-z]+", n.english[0])
