"""attncourse.metrics: what is counted, by hand; BLEU explained; intervals; alignments."""

from __future__ import annotations

import math
import sys
from collections import Counter

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from support import BATCH, HEADS, KEYS, QUERIES, refused

from attncourse import NadarayaWatson, padding_mask, record_attention
from attncourse.data.batches import Batch
from attncourse.data.real import multi30k
from attncourse.data.translation import detokenise, translation_pairs
from attncourse.data.vocabulary import split_words
from attncourse.metrics import (
    Tally,
    alignment_accuracy,
    alignment_error_rate,
    alignment_links,
    bleu,
    bleu_interval,
    bootstrap_interval,
    comparable_bleu,
    exact_match,
    log_likelihood,
    moses_text,
    moses_tokens,
    perplexity,
    token_accuracy,
)
from attncourse.metrics.translations import bleu_counts, bleu_from_counts

VOCABULARY = 13

# Right sentences


def test_tallies_add_up_before_they_are_divided():
    batches = [Tally(1, 2), Tally(5, 6), Tally(0, 0)]
    assert sum(batches, Tally()) == Tally(6, 8)
    assert sum(batches, Tally()).share == 0.75  # the mean of the shares would be 2/3
    with refused(ValueError, "tries", "0"):
        _ = Tally().share


def test_a_sentence_matches_only_as_a_whole():
    hypotheses = ["il dort .", "il dort", "il dort . .", "Il dort .", "", "elle lit"]
    references = ["il dort .", "il dort .", "il dort .", "il dort .", "", "lit elle"]
    assert exact_match(hypotheses, references) == Tally(2, 6)


def test_token_ids_match_in_a_list_or_a_tuple():
    assert exact_match([[4, 5], (6,), [4, 5]], [(4, 5), [6], [4, 5, 0]]) == Tally(2, 3)


def test_sentences_that_cannot_be_compared_are_refused(own_errors):
    with refused(ValueError, "hypotheses and references", "2 and 1"):
        exact_match(["a", "b"], ["a"])
    with refused(ValueError, "hypotheses", "at least one", "none"):
        exact_match([], [])
    with refused(TypeError, "references", "several sentences", "one str"):
        exact_match(["a"], "a")
    with refused(TypeError, "hypotheses", "several sentences", "one str"):
        exact_match("a", ["a"])
    with refused(TypeError, "hypotheses[1] and references[1]", "str and tuple"):
        exact_match(["a", "il dort"], ["a", ("il", "dort")])


# Right tokens, and how surprising they were


def some_logits(dtype: torch.dtype = torch.float64, seed: int = 0):
    """Draw logits, labels and the mask of rows with 5, 3, 0 and 1 real tokens."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(4, QUERIES, VOCABULARY, generator=generator, dtype=torch.float64)
    labels = torch.randint(VOCABULARY, (4, QUERIES), generator=generator)
    return logits.to(dtype), labels, padding_mask(torch.tensor([5, 3, 0, 1]), QUERIES)


def test_token_accuracy_by_hand():
    logits = torch.zeros(2, 3, 4)
    answers = torch.tensor([[1, 2, 3], [3, 0, 0]])
    logits.scatter_(-1, answers[..., None], 1.0)
    labels = torch.tensor([[1, 2, 0], [3, 0, 0]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    assert token_accuracy(logits, labels, mask) == Tally(3, 4)
    assert token_accuracy(logits, labels, torch.ones(2, 3, dtype=torch.bool)) == Tally(5, 6)


def test_perplexity_by_hand():
    # The labels have the probabilities 1/2, 1/4 and 1/8, so ln p sums to -6 ln 2.
    rows = [[0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.5, 0.375, 0.125]]
    logits = torch.tensor([rows], dtype=torch.float64).log() + 7.0  # no logit is a probability
    labels, mask = torch.tensor([[0, 2, 2]]), torch.ones(1, 3, dtype=torch.bool)
    total, tokens = log_likelihood(logits, labels, mask)
    assert total == pytest.approx(-6 * math.log(2), rel=1e-12)
    assert tokens == 3
    assert perplexity(total, tokens) == pytest.approx(4, rel=1e-12)


def test_equal_chances_have_the_perplexity_of_their_number(device):
    labels, mask = torch.zeros(2, 5, dtype=torch.int64), torch.ones(2, 5, dtype=torch.bool)
    logits = torch.zeros(2, 5, VOCABULARY, device=device)
    total = log_likelihood(logits, labels.to(device), mask.to(device))
    assert perplexity(*total) == pytest.approx(VOCABULARY, rel=1e-6)


def test_a_sure_model_has_perplexity_one_or_infinity():
    assert perplexity(0.0, 3) == 1
    assert perplexity(-1e6, 3) == math.inf
    assert perplexity(-math.inf, 3) == math.inf


@pytest.mark.parametrize("measure", [token_accuracy, log_likelihood])
def test_padding_is_never_read(measure):
    logits, labels, mask = some_logits()
    expected = measure(logits, labels, mask)
    logits[~mask] = torch.nan
    labels[~mask] = -100
    assert measure(logits, labels, mask) == expected
    assert measure(logits[2:3], labels[2:3], mask[2:3]) in (Tally(0, 0), (0.0, 0))


def test_tokens_of_all_batches_weigh_the_same():
    logits, labels, mask = some_logits()
    whole, rows = log_likelihood(logits, labels, mask), range(4)
    parts = [log_likelihood(logits[[i]], labels[[i]], mask[[i]]) for i in rows]
    assert sum(total for total, _ in parts) == pytest.approx(whole[0], rel=1e-12)
    assert [tokens for _, tokens in parts] == [5, 3, 0, 1]
    tallies = [token_accuracy(logits[[i]], labels[[i]], mask[[i]]) for i in rows]
    assert sum(tallies, Tally()) == token_accuracy(logits, labels, mask)


def test_logits_that_are_no_numbers_are_no_hits():
    logits = torch.zeros(1, 3, 4)
    logits[0, 1, 2] = logits[0, 2] = torch.nan
    labels, mask = torch.tensor([[0, 2, 0]]), torch.ones(1, 3, dtype=torch.bool)
    assert token_accuracy(logits, labels, mask) == Tally(1, 3)


def test_half_precision_logits_are_summed_in_single():
    logits = torch.zeros(1, 4000, 7, dtype=torch.bfloat16)
    labels, mask = torch.zeros(1, 4000, dtype=torch.int64), torch.ones(1, 4000, dtype=torch.bool)
    assert perplexity(*log_likelihood(logits, labels, mask)) == pytest.approx(7, rel=1e-5)


@pytest.mark.parametrize("measure", [token_accuracy, log_likelihood])
def test_tokens_that_cannot_be_judged_are_refused(own_errors, measure):
    logits, labels, mask = some_logits()
    with refused(TypeError, "logits", "floating-point", "int64"):
        measure(labels, labels, mask)
    with refused(ValueError, "logits", "(batch, target, vocabulary)", "(5, 13)"):
        measure(logits[0], labels, mask)
    with refused(TypeError, "labels", "integers", "float64"):
        measure(logits, labels.double(), mask)
    with refused(ValueError, "labels", "(4, 5)", "(4, 4)"):
        measure(logits, labels[:, 1:], mask)
    with refused(TypeError, "mask", "boolean", "int64"):
        measure(logits, labels, mask.long())
    with refused(ValueError, "mask", "(4, 5)", "(4, 4)"):
        measure(logits, labels, mask[:, 1:])
    with refused(TypeError, "mask", "boolean", "NoneType"):
        measure(logits, labels, None)
    for wrong in (-100, VOCABULARY):
        labels[1, 2] = wrong
        with refused(ValueError, "labels", "0 ... 12", f"got {wrong}"):
            measure(logits, labels, mask)


def test_a_perplexity_of_nothing_is_refused():
    with refused(ValueError, "tokens", "1 or more", "got 0"):
        perplexity(0.0, 0)
    for wrong in (2.5, math.nan):
        with refused(ValueError, "log_likelihood", "0 or less", f"got {wrong}"):
            perplexity(wrong, 3)


# BLEU, explained


def sequences(tokens: list[str], order: int) -> Counter:
    return Counter(tuple(tokens[i : i + order]) for i in range(len(tokens) - order + 1))


def bleu_by_hand(hypotheses: list[str], references: list[list[str]]) -> float:
    """BLEU as the book explains it, with sacreBLEU's way out when nothing matched."""
    matched, tried = [0] * 4, [0] * 4
    length = reference_length = 0
    for hypothesis, texts in zip(hypotheses, references, strict=True):
        words, sets = hypothesis.split(), [text.split() for text in texts]
        length += len(words)
        reference_length += min((abs(len(s) - len(words)), len(s)) for s in sets)[1]
        for n in range(4):
            ceiling = Counter()
            for s in sets:
                ceiling |= sequences(s, n + 1)
            found = sequences(words, n + 1)
            matched[n] += sum((found & ceiling).values())  # clipped counts
            tried[n] += sum(found.values())
    if sum(matched) == 0 or 0 in tried:
        return 0.0
    product, halved = 1.0, 1.0
    for hits, tries in zip(matched, tried, strict=True):
        if hits == 0:  # a half of a match, then a quarter ...
            halved /= 2
        product *= (hits or halved) / tries
    brevity = min(1.0, math.exp(1 - reference_length / length))
    return 100 * brevity * product**0.25


CAT = "the cat sat on the mat and slept"


@pytest.mark.parametrize(
    ("hypotheses", "references"),
    [
        pytest.param([CAT], [[CAT]], id="the same"),
        pytest.param(["the cat sat on a mat"], [[CAT]], id="too short"),
        pytest.param([CAT + " for an hour or two"], [[CAT]], id="too long"),
        pytest.param(["the the the the the the the"], [["the cat is on the mat"]], id="clipped"),
        pytest.param(["cat the on sat mat the"], [["the cat sat on the mat"]], id="no pair"),
        pytest.param(["a cat sat there quietly"], [["the cat sat here"]], id="no triple"),
        pytest.param(["x y z w v"], [[CAT]], id="no word"),
        pytest.param(["the cat"], [["the cat"]], id="no room for four"),
        pytest.param([""], [[CAT]], id="empty"),
        pytest.param(["", CAT], [[CAT], ["the cat sat on a mat"]], id="empty beside another"),
        pytest.param([CAT, "a b c d"], [[CAT], ["a b x d e"]], id="two sentences"),
        pytest.param(
            ["a cat lay here on the mat"],
            [["the cat sat on the mat", "a cat lay there on a mat all day"]],
            id="two references",
        ),
        pytest.param(
            ["a b c d e", "a b c d e f g"],
            [["a b c x", "c d e f g h", "a b"], ["d e f g h i j k"]],
            id="three references and one; the shorter of two equally near",
        ),
    ],
)
def test_bleu_is_what_the_explanation_computes(hypotheses, references):
    result = bleu(hypotheses, references, tokenize="none")
    assert result.score == pytest.approx(bleu_by_hand(hypotheses, references), abs=1e-9)


words = st.lists(st.sampled_from("abc"), max_size=9).map(" ".join)
corpora = st.lists(
    st.tuples(words, st.lists(words.filter(bool), min_size=1, max_size=3)), min_size=1, max_size=4
)


@given(corpora)
@example([("a b c a b", ["a b c", "a b c a b c a"]), ("", ["a"])])
def test_bleu_of_any_corpus_is_what_the_explanation_computes(corpus):
    hypotheses, references = [pair[0] for pair in corpus], [pair[1] for pair in corpus]
    by_hand = bleu_by_hand(hypotheses, references)
    assert bleu(hypotheses, references, tokenize="none").score == pytest.approx(by_hand, abs=1e-9)
    counts = bleu_counts(hypotheses, references, tokenize="none")
    assert bleu_from_counts(counts.sum(0)) == pytest.approx(by_hand, abs=1e-9)


def test_the_parts_of_bleu_by_hand():
    # Of 6 words "the", "cat", "sat", "on" and "mat" match; pairs lose "on a" and "a mat".
    result = bleu(["the cat sat on a mat"], [CAT], tokenize="none")
    assert result.precisions == pytest.approx((500 / 6, 300 / 5, 200 / 4, 100 / 3))
    assert (result.hypothesis_length, result.reference_length) == (6, 8)
    assert result.brevity_penalty == pytest.approx(math.exp(1 - 8 / 6))
    product = 5 / 6 * 3 / 5 * 2 / 4 * 1 / 3
    assert result.score == pytest.approx(100 * math.exp(-1 / 3) * product**0.25)
    assert result.signature.startswith("nrefs:1|case:mixed|eff:no|tok:none|smooth:exp|version:")


def test_counts_are_clipped_as_in_the_paper():
    result = bleu(
        ["the the the the the the the"], [["the cat is on the mat", "there is a cat on the mat"]]
    )
    assert result.precisions[0] == pytest.approx(200 / 7)
    assert result.reference_length == 7
    assert "nrefs:2" in result.signature


def test_bleu_of_a_corpus_is_not_the_mean_of_its_sentences():
    hypotheses, references = [CAT, "a dog ran off with it"], [CAT, "one dog ran off with that"]
    mean = sum(bleu([h], [r]).score for h, r in zip(hypotheses, references, strict=True)) / 2
    assert abs(bleu(hypotheses, references).score - mean) > 1


def test_text_is_cut_and_lower_cased_as_asked():
    hypotheses, references = ["The cat sat here, didn't it?"], ["the cat sat here , didn't it ?"]
    assert bleu(hypotheses, references, lowercase=True).score == pytest.approx(100)
    assert bleu(hypotheses, references).score < 90
    assert bleu(hypotheses, references, tokenize="none", lowercase=True).score < 60
    signature = bleu(hypotheses, references, lowercase=True).signature
    assert "|case:lc|" in signature
    assert "|tok:13a|" in signature


def test_what_cannot_be_scored_is_refused(own_errors):
    for score in (bleu, bleu_counts):
        with refused(ValueError, "hypotheses and references", "2 and 1"):
            score(["a", "b"], [["a", "b"]])  # one list for all, as sacreBLEU's own function takes
        with refused(ValueError, "hypotheses", "at least one", "none"):
            score([], [])
        with refused(TypeError, "hypotheses", "several sentences", "one str"):
            score("a", ["a"])
        with refused(TypeError, "hypotheses[1]", "a text", "list"):
            score(["a", ["b"]], ["a", "b"])
        with refused(TypeError, "references[0]", "a text or several", "None"):
            score(["a"], [None])
        with refused(TypeError, "references[0]", "a text or several", "[4, 5]"):
            score(["a"], [[4, 5]])
        with refused(ValueError, "references[1]", "at least one", "none"):
            score(["a", "b"], ["a", []])
        with refused(ValueError, "tokenize", "13a", "none", "'moses'"):
            score(["a"], ["a"], tokenize="moses")


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacremoses", None)
    with refused(ImportError, "sacremoses", "pip install sacremoses"):
        moses_tokens(["a"], "en")
    with refused(ImportError, "sacremoses", "pip install sacremoses"):
        comparable_bleu(["a"], ["a"], "en")
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    with refused(ImportError, "sacrebleu", "pip install sacrebleu"):
        bleu(["a"], ["a"])
    with refused(ImportError, "sacrebleu", "pip install sacrebleu"):
        bleu_interval(["a"], ["a"])


# Beside published figures

FRENCH = ["L'homme n'a pas d'âne, qu'il dit.", "Un chien court sur l'herbe.", "Qu'est-ce là ?"]
ENGLISH = ["The boy's dog sleeps.", "Women's tennis isn't dull.", "He has 1,000 toys (all red)."]
GERMAN = ["Der Hund schläft.", "Ein Mann, der rot-blaue Schuhe trägt.", "Es kostet 3,50 Euro."]


@pytest.mark.parametrize(
    ("language", "texts"), [("fr", FRENCH), ("en", ENGLISH), ("de", GERMAN)], ids=["fr", "en", "de"]
)
def test_words_are_put_together_before_moses_cuts_them(language, texts):
    tokens = moses_tokens(texts, language)
    words = [split_words(text).split() for text in texts[:2]]
    for hypotheses in (texts[:2], [text.upper() for text in texts[:2]], words):
        scores = comparable_bleu(hypotheses, texts[:2], language)
        assert scores.moses.score == pytest.approx(100)
        assert scores.standard.score == pytest.approx(100)
    assert comparable_bleu(texts, texts, language).moses.hypothesis_length == sum(
        len(text.split()) for text in tokens
    )


def test_moses_cuts_each_language_by_its_own_rules():
    assert moses_tokens(FRENCH, "fr") == [
        "l' homme n' a pas d' âne , qu' il dit .",
        "un chien court sur l' herbe .",
        "qu' est-ce là ?",
    ]
    assert moses_tokens(ENGLISH, "en") == [
        "the boy 's dog sleeps .",
        "women 's tennis isn 't dull .",
        "he has 1,000 toys ( all red ) .",
    ]
    assert moses_tokens(GERMAN, "de")[1] == "ein mann , der rot-blaue schuhe trägt ."
    assert moses_tokens(['"A & B"'], "en") == ['" a & b "']  # not &quot; and &amp;


def test_the_comparable_score_is_of_lower_cased_moses_tokens():
    hypotheses, references = ["l'homme n'a pas d'âne.", "un chien dort"], FRENCH[:2]
    scores = comparable_bleu(hypotheses, references, "fr")
    cut = ["l' homme n' a pas d' âne .", "un chien dort"]
    released = ["l' homme n' a pas d' âne , qu' il dit .", "un chien court sur l' herbe ."]
    by_hand = bleu_by_hand(cut, [[text] for text in released])
    assert scores.moses.score == pytest.approx(by_hand)
    assert scores.standard == bleu(hypotheses, references, lowercase=True)
    assert abs(scores.moses.score - scores.standard.score) > 0.5  # so it matters which


def test_the_comparable_score_takes_several_references():
    scores = comparable_bleu(["un chien dort ici"], [["Un chien dort", "Il dort ici"]], "fr")
    assert scores.moses.precisions == pytest.approx((100, 100, 100 / 2, 100 / 2))
    assert "nrefs:2" in scores.moses.signature
    assert "nrefs:2" in scores.standard.signature


def test_the_signatures_say_how_the_comparable_scores_were_made():
    import sacremoses

    scores = comparable_bleu(FRENCH, FRENCH, "fr")
    assert "|case:lc|" in scores.moses.signature
    assert "|tok:none|" in scores.moses.signature
    assert scores.moses.signature.endswith(f"|moses:fr|sacremoses:{sacremoses.__version__}")
    assert "|tok:13a|" in scores.standard.signature
    assert "moses" not in scores.standard.signature


def test_what_would_not_compare_is_refused(own_errors):
    with refused(ValueError, "hypotheses", "2 of 3 end in ' .'", "text.split()"):
        comparable_bleu(["l' homme dort .", "il dort .", "Il dort."], ["Il dort."] * 3, "fr")
    comparable_bleu(["il dort .", "Il dort."], ["Il dort."] * 2, "fr")  # may be the model's slip
    for call in (comparable_bleu, lambda texts, _, language: moses_tokens(texts, language)):
        with refused(ValueError, "language", "en, de, fr", "'english'"):
            call(["a"], ["a"], "english")
    with refused(ValueError, "language", "en, de, fr", "'es'"):
        comparable_bleu([["a"]], ["a"], "es")
    with refused(TypeError, "hypotheses[1]", "a text or its words", "[4, 5]"):
        comparable_bleu(["a", [4, 5]], ["a", "b"], "en")
    with refused(TypeError, "hypotheses[0]", "a text or its words", "None"):
        comparable_bleu([None], ["a"], "en")
    with refused(TypeError, "hypotheses", "several sentences", "one str"):
        comparable_bleu("a", ["a"], "en")
    with refused(TypeError, "texts", "several sentences", "one str"):
        moses_tokens("the dog.", "en")
    with refused(TypeError, "words", "several words", "one str"):
        moses_text("the dog .", "en")
    with refused(ValueError, "hypotheses and references", "1 and 2"):
        comparable_bleu(["a"], ["a", "b"], "en")


@pytest.mark.parametrize(("source", "target"), [("en", "fr"), ("de", "en"), ("en", "de")])
def test_perfect_words_of_released_captions_score_nearly_100(released, source, target):
    references = [pair.target for pair in multi30k(source, target, "test_2016_flickr")]
    words = [split_words(text) for text in references]
    scores = comparable_bleu([text.split() for text in words], references, target)
    assert 99.8 < scores.moses.score <= 100 + 1e-9
    assert 99.8 < scores.standard.score <= 100 + 1e-9
    if target == "fr":  # what the docstring warns of
        twice = bleu(
            moses_tokens(words, "fr"),
            moses_tokens(references, "fr"),
            tokenize="none",
            lowercase=True,
        )
        assert round(twice.score) == 87


def test_the_embedded_corpus_scores_100_against_itself():
    pairs = translation_pairs(train=300, validation=0, composition=0, length=0).train
    printed = [detokenise(pair.target, "fr") for pair in pairs]
    scores = comparable_bleu([pair.target for pair in pairs], printed, "fr")
    assert scores.moses.score == pytest.approx(100)


# Intervals


def share(sums) -> float:
    return float(sums[0] / sums[1])


def tosses(count: int, chance: float, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    hits = (torch.rand(count, generator=generator) < chance).double()
    return torch.stack([hits, torch.ones(count, dtype=torch.float64)], dim=1)


@pytest.mark.parametrize(
    ("samples", "confidence", "dropped"),
    [(1000, 0.95, 25), (200, 0.9, 10), (100, 0.95, 2), (40, 0.95, 1), (1000, 0.9, 50)],
)
def test_the_interval_is_what_is_left_of_the_sorted_draws(samples, confidence, dropped):
    counts = torch.rand(23, 2, dtype=torch.float64)  # no two draws score the same
    chance = torch.Generator().manual_seed(5)
    draws = sorted(
        share(counts[torch.randint(23, (23,), generator=chance)].sum(0)) for _ in range(samples)
    )
    interval = bootstrap_interval(
        counts,
        share,
        samples=samples,
        confidence=confidence,
        generator=torch.Generator().manual_seed(5),
    )
    kept = draws[dropped : samples - dropped]
    assert interval == (share(counts.sum(0)), kept[0], kept[-1])


def test_the_same_generator_gives_the_same_interval():
    counts = torch.rand(29, 2, dtype=torch.float64)
    first, again, other = (
        bootstrap_interval(counts, share, generator=torch.Generator().manual_seed(seed))
        for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other
    state = torch.random.get_rng_state()
    assert bootstrap_interval(counts, share) == bootstrap_interval(counts, share)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_whole_numbers_and_single_precision_give_the_same_interval():
    counts = tosses(31, 0.5, seed=2)
    expected = bootstrap_interval(counts, share)
    assert bootstrap_interval(counts.long(), share) == expected
    assert bootstrap_interval(counts.float(), share) == expected


def test_a_system_leads_itself_by_nothing():
    counts = torch.rand(37, 2, dtype=torch.float64)
    assert bootstrap_interval(counts, share, baseline=counts.clone()) == (0.0, 0.0, 0.0)
    hypotheses, references = zip(*noisy_corpus(40, 0.3, seed=0), strict=True)
    lead = bleu_interval(list(hypotheses), list(references), baseline=list(hypotheses))
    assert lead == (0.0, 0.0, 0.0)


def test_a_lead_that_every_sentence_shows_has_no_width():
    # Hits of the first are those of the second and one more in each sentence, so it leads by 1.
    second = torch.randint(9, (41, 1)).double()
    ones = torch.ones(41, 1, dtype=torch.float64)
    lead = bootstrap_interval(
        torch.cat([second + 1, ones], 1), share, baseline=torch.cat([second, ones], 1)
    )
    assert lead == pytest.approx((1.0, 1.0, 1.0), abs=1e-12)


def test_a_lead_changes_its_sign_with_the_order():
    first, second = tosses(53, 0.7, seed=1), tosses(53, 0.5, seed=2)
    lead = bootstrap_interval(first, share, baseline=second)
    behind = bootstrap_interval(second, share, baseline=first)
    assert lead == pytest.approx((-behind.value, -behind.high, -behind.low))
    assert lead.value == pytest.approx(share(first.sum(0)) - share(second.sum(0)))


def test_the_interval_has_the_width_that_theory_gives_it():
    interval = bootstrap_interval(tosses(4000, 0.3, seed=3), share)
    deviation = math.sqrt(interval.value * (1 - interval.value) / 4000)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * deviation, rel=0.1)
    assert interval.low < interval.value < interval.high


def test_an_interval_of_95_percent_holds_the_truth_about_as_often():
    held = 0
    for seed in range(300):
        counts = tosses(100, 0.7, seed)
        _, low, high = bootstrap_interval(counts, share, samples=200)
        held += low <= 0.7 <= high
    assert 0.90 <= held / 300 <= 0.98  # 0.95, less a little for 100 tosses, and 3.5 deviations


def noisy_corpus(sentences: int, noise: float, seed: int) -> list[tuple[str, str]]:
    """Draw references of 4 to 16 words, and hypotheses in which some words went wrong."""
    generator = torch.Generator().manual_seed(seed)
    pairs = []
    for _ in range(sentences):
        length = int(torch.randint(4, 17, (), generator=generator))
        ids = torch.randint(50, (length,), generator=generator).tolist()
        wrong = (torch.rand(length, generator=generator) < noise).tolist()
        reference = [f"w{i}" for i in ids]
        hypothesis = ["x" if w else word for word, w in zip(reference, wrong, strict=True)]
        pairs.append((" ".join(hypothesis), " ".join(reference)))
    return pairs


def test_intervals_of_bleu_hold_the_truth_about_as_often_as_they_say():
    pairs = noisy_corpus(3000, 0.25, seed=0)
    worse = [" ".join(hypothesis.split()[:-1]) for hypothesis, _ in pairs]  # the last word is lost
    hypotheses, references = [list(side) for side in zip(*pairs, strict=True)]
    first, second = (bleu_counts(side, references, tokenize="none") for side in (hypotheses, worse))
    truth = bleu_from_counts(first.sum(0))
    lead = truth - bleu_from_counts(second.sum(0))
    assert lead > 1

    generator = torch.Generator().manual_seed(1)
    held = paired = 0
    for _ in range(150):
        drawn = torch.randint(3000, (80,), generator=generator)
        how = {"samples": 120, "generator": generator}
        alone = bootstrap_interval(first[drawn], bleu_from_counts, **how)
        both = bootstrap_interval(first[drawn], bleu_from_counts, baseline=second[drawn], **how)
        held += alone.low <= truth <= alone.high
        paired += both.low <= lead <= both.high
        # Hard sentences are hard for both: that is what pairing takes out.
        assert both.high - both.low < alone.high - alone.low
    assert 0.88 <= held / 150 <= 0.99
    assert 0.88 <= paired / 150 <= 0.99


def test_an_interval_of_bleu_holds_its_score():
    hypotheses, references = (list(side) for side in zip(*noisy_corpus(60, 0.3, 4), strict=True))
    interval = bleu_interval(hypotheses, references, samples=200)
    assert interval.value == pytest.approx(bleu(hypotheses, references).score, abs=1e-9)
    assert interval.low < interval.value < interval.high
    counts = bleu_counts(hypotheses, references)
    assert bootstrap_interval(counts, bleu_from_counts, samples=200) == interval
    seeded = [torch.Generator().manual_seed(6) for _ in range(2)]
    drawn = bootstrap_interval(counts, bleu_from_counts, samples=90, generator=seeded[0])
    assert bleu_interval(hypotheses, references, samples=90, generator=seeded[1]) == drawn
    shouted = [text.upper() for text in hypotheses]
    assert bleu_interval(shouted, references, lowercase=True, samples=200) == interval
    lead = bleu_interval(hypotheses, references, baseline=shouted, lowercase=True, samples=200)
    assert lead == (0.0, 0.0, 0.0)
    cut = bleu_interval(["a, b c d e"], ["a , b c d e"], tokenize="none", samples=200)
    assert cut.value < 100
    wide = bleu_interval(hypotheses, references, samples=200, confidence=0.5)
    assert interval.low < wide.low < wide.high < interval.high


def test_intervals_that_mean_nothing_are_refused(own_errors):
    counts = tosses(11, 0.5, seed=0)
    with refused(TypeError, "counts", "real numbers", "list"):
        bootstrap_interval([1.0], share)
    with refused(TypeError, "baseline", "real numbers", "bool"):
        bootstrap_interval(counts, share, baseline=counts.bool())
    with refused(ValueError, "counts", "(sentence, count)", "(11,)"):
        bootstrap_interval(counts[:, 0], share)
    with refused(ValueError, "counts", "(sentence, count)", "(0, 2)"):
        bootstrap_interval(counts[:0], share)
    with refused(ValueError, "counts and baseline", "(11, 2)", "(7, 2)"):
        bootstrap_interval(counts, share, baseline=counts[:7])
    for wrong in (0.0, 1.0, 95):
        with refused(ValueError, "confidence", "between 0 and 1", str(wrong)):
            bootstrap_interval(counts, share, confidence=wrong)
    with refused(ValueError, "samples", "40 or more", "0.95", "got 39"):
        bootstrap_interval(counts, share, samples=39)
    with refused(ValueError, "samples", "20 or more", "0.9", "got 1"):
        bootstrap_interval(counts, share, samples=1, confidence=0.9)
    with refused(TypeError, "samples", "integer", "float"):
        bootstrap_interval(counts, share, samples=1000.0)
    # A rate of what is rare: some draws hold none of it.
    rare = torch.tensor([[0, 0]] * 6 + [[1, 1], [0, 1]])
    with refused(ValueError, "score", "nan for", "of 1000 draws"):
        bootstrap_interval(rare, share)
    with refused(ValueError, "hypotheses and references", "1 and 2"):
        bleu_interval(["a", "b"], ["a", "b"], baseline=["a"])


# Links


def test_each_target_word_is_linked_to_its_largest_weight():
    weights = torch.tensor([[[[0.1, 0.2, 0.7, 0.0], [0.6, 0.3, 0.1, 0.0], [0.0, 0.1, 0.1, 0.8]]]])
    assert alignment_links(weights) == [{(2, 0), (0, 1), (3, 2)}]


def test_heads_are_averaged():
    # Two of three heads prefer word 1, the mean prefers word 0.
    weights = torch.tensor([[[[0.9, 0.1, 0.0]], [[0.4, 0.6, 0.0]], [[0.4, 0.5, 0.1]]]])
    assert alignment_links(weights) == [{(0, 0)}]
    assert alignment_links(weights[:, 1:2]) == [{(1, 0)}]


def test_the_first_of_equal_weights_wins_and_none_of_zeros():
    weights = torch.tensor([[[[0.0, 0.5, 0.5], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]])
    assert alignment_links(weights) == [{(1, 0), (2, 2)}]
    assert alignment_links(torch.zeros(2, 1, 3, 0)) == [frozenset(), frozenset()]
    assert alignment_links(torch.zeros(0, 1, 3, 2)) == []


def test_masked_words_have_no_link_and_get_none(device):
    weights = torch.rand(BATCH, HEADS, QUERIES, KEYS, dtype=torch.float64, device=device)
    targets = padding_mask(torch.tensor([3, 5]), QUERIES)
    sources = padding_mask(torch.tensor([7, 4]), KEYS)
    links = alignment_links(weights, targets.to(device), sources.to(device))
    for b, (rows, columns) in enumerate([(3, 7), (5, 4)]):
        mean = weights[b].cpu().mean(0)
        expected = {(int(mean[t, :columns].argmax()), t) for t in range(rows)}
        assert links[b] == expected
    assert alignment_links(weights) != links  # so the masks did something
    weights[0, :, 3:] = torch.nan
    weights[1, :, :, 4:] = torch.inf
    assert alignment_links(weights, targets.to(device), sources.to(device)) == links


def test_half_precision_weights_are_averaged_in_single():
    # The means differ by less than bfloat16 can tell: 0.5 and 0.5 + 2**-9.
    weights = torch.tensor([0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5078125]).bfloat16()
    weights = weights.reshape(1, 4, 1, 2)
    assert alignment_links(weights) == [{(1, 0)}]


def test_links_are_read_off_a_recording():
    layer = NadarayaWatson()
    places, query = torch.tensor([[0.0], [3.0], [6.0]]), torch.tensor([[5.9], [0.2], [2.8], [3.3]])
    with record_attention(layer) as maps:
        layer(query[None], places[None], places[None])
    assert alignment_links(maps[""]) == [{(2, 0), (0, 1), (1, 2), (1, 3)}]


def test_weights_that_cannot_be_read_are_refused(own_errors):
    weights = torch.rand(BATCH, HEADS, QUERIES, KEYS)
    with refused(TypeError, "weights", "floating-point", "int64"):
        alignment_links(weights.long())
    with refused(ValueError, "weights", "(batch, heads, target, source)", "(3, 5, 7)"):
        alignment_links(weights[0])
    with refused(ValueError, "weights", "at least one head", "(2, 0, 5, 7)"):
        alignment_links(weights[:, :0])
    targets, sources = torch.ones(BATCH, QUERIES).bool(), torch.ones(BATCH, KEYS).bool()
    with refused(TypeError, "target_mask", "boolean", "int64"):
        alignment_links(weights, targets.long())
    with refused(ValueError, "target_mask", "(2, 5)", "(2, 7)"):
        alignment_links(weights, sources)
    with refused(TypeError, "source_mask", "boolean", "list"):
        alignment_links(weights, targets, [True])
    with refused(ValueError, "source_mask", "(2, 7)", "(2, 5)"):
        alignment_links(weights, targets, targets)
    for wrong in (torch.nan, torch.inf, -1.0):
        weights[0, :, 1, 2] = wrong
        with refused(ValueError, "weights", "finite and not negative"):
            alignment_links(weights)


# Against gold links


def test_the_alignment_error_rate_by_hand():
    # A has 4 links, 2 of them sure and 3 possible; S has 3: 1 - (2 + 3) / (4 + 3) = 2/7.
    links = {(0, 0), (1, 1), (2, 2), (3, 2)}
    sure = {(0, 0), (1, 1), (4, 3)}
    error = alignment_error_rate([links], [sure], [sure | {(2, 2), (5, 5)}])
    assert error.rate == pytest.approx(2 / 7)
    assert error.precision == pytest.approx(3 / 4)
    assert error.recall == pytest.approx(2 / 3)


def test_the_alignment_error_rate_sums_before_it_divides():
    # Rates of 0 (one link) and 1 (three links, one sure): 1 - 2 / 6, not 1/2.
    links, sure = [{(0, 0)}, {(0, 0), (1, 1), (2, 2)}], [{(0, 0)}, {(5, 5)}]
    error = alignment_error_rate(links, sure, sure)
    assert error == pytest.approx((2 / 3, 1 / 4, 1 / 2))


def test_the_alignment_error_rate_at_its_ends():
    assert alignment_error_rate([set()], [{(0, 0)}], [{(0, 0)}]) == (1.0, 0.0, 0.0)
    assert alignment_error_rate([{(0, 0)}], [set()], [{(0, 0)}]) == (0.0, 1.0, 0.0)
    assert alignment_error_rate([{(0, 1)}], [{(1, 0)}], [{(1, 0)}]) == (1.0, 0.0, 0.0)


link = st.tuples(st.integers(0, 3), st.integers(0, 4))
link_sets = st.frozensets(link, max_size=9)


@given(st.lists(st.tuples(link_sets, link_sets, link_sets), min_size=1, max_size=3), link)
def test_properties_of_the_alignment_error_rate(sentences, one):
    links, sure, more = ([s[i] for s in sentences] for i in range(3))
    sure[0] |= {one}
    possible = [s | m for s, m in zip(sure, more, strict=True)]
    error = alignment_error_rate(links, sure, possible)
    assert -1e-12 <= error.rate <= 1
    # Whatever lies between the sure and the possible links is free of error.
    assert alignment_error_rate(sure, sure, possible).rate == 0
    assert alignment_error_rate(possible, sure, possible).rate == 0
    # Where every gold link is sure, the rate is one less the harmonic mean of both shares.
    _, precision, recall = strict = alignment_error_rate(links, sure, sure)
    mean = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    assert strict.rate == pytest.approx(1 - mean)


def test_accuracy_is_counted_by_kind():
    kinds = [["article", "noun", "noun", "verb"], ["noun"]]
    gold = [{(0, 0), (1, 1), (2, 2), (3, 2)}, {(0, 0)}]
    links = [{(1, 0), (1, 1), (3, 2), (3, 3)}, set()]
    # The article looks at the noun; "verb" has no gold link; the last sentence has no link.
    tallies = alignment_accuracy(links, gold, kinds)
    assert tallies == {"article": Tally(0, 1), "noun": Tally(2, 3)}
    assert sum(tallies.values(), Tally()) == Tally(2, 4)
    possible = [gold[0] | {(1, 0)}, gold[1]]
    assert alignment_accuracy(links, possible, kinds)["article"] == Tally(1, 1)
    assert list(alignment_accuracy(links[:1], gold[:1], [["z", "y", "a", "b"]])) == ["a", "y", "z"]


def test_gold_links_that_do_not_fit_are_refused(own_errors):
    one, two = [{(0, 0)}], [{(0, 0)}, {(0, 0)}]
    with refused(ValueError, "1 of links", "1 of sure", "2 of possible"):
        alignment_error_rate(one, one, two)
    with refused(ValueError, "possible[1]", "every sure link", "(3, 4)"):
        alignment_error_rate(two, [{(0, 0)}, {(0, 0), (3, 4)}], two)
    with refused(ValueError, "links and sure", "none"):
        alignment_error_rate([set()], [set()], [{(0, 0)}])
    with refused(ValueError, "1 of links", "2 of gold", "1 of kinds"):
        alignment_accuracy(one, two, [["noun"]])
    for links, gold in (([{(0, 2)}], one), (one, [{(0, 2)}])):
        with refused(ValueError, "kinds[0]", "2 words", "word 2"):
            alignment_accuracy(links, gold, [["article", "noun"]])
    with refused(ValueError, "kinds[0]", "1 words", "word -1"):
        alignment_accuracy([{(0, -1)}], one, [["noun"]])


@pytest.fixture(scope="module")
def corpus():
    return translation_pairs(train=400, validation=0, composition=0, length=0).train[:60]


def gold_weights(pairs, batch: Batch) -> torch.Tensor:
    """Make the map of a model that looks at one sure word, and at the end mark's own row at 0."""
    weights = torch.zeros(len(pairs), 1, batch.labels.shape[1], batch.source.shape[1])
    weights[:, :, :, 0] = 0.1
    for b, pair in enumerate(pairs):
        for source, target in pair.sure:
            weights[b, 0, target, source] = 0.9
    return weights


def test_a_model_that_looks_where_the_gold_does_makes_no_error(corpus):
    encoded = [(range(4, 4 + len(p.source)), range(4, 4 + len(p.target))) for p in corpus]
    batch = Batch.of(encoded)
    weights = gold_weights(corpus, batch)
    words = padding_mask(batch.target_lengths - 2, weights.shape[2])
    linked = [{target for _, target in pair.sure} for pair in corpus]
    for b, pair in enumerate(corpus):  # words without a sure link are not judged here
        words[b, [t for t in range(len(pair.target)) if t not in linked[b]]] = False
    links = alignment_links(weights, words, padding_mask(batch.source_lengths))
    sure, possible = [p.sure for p in corpus], [p.possible for p in corpus]
    error = alignment_error_rate(links, sure, possible)
    assert error.precision == 1
    assert error.rate < 0.05  # a word with two sure links gets one
    for tally in alignment_accuracy(links, sure, [p.kinds for p in corpus]).values():
        assert tally.share == 1
    # The end mark and the padding would be links of their own.
    assert alignment_error_rate(alignment_links(weights), sure, possible).precision < 0.9


def test_articles_that_look_at_their_nouns_are_wrong_only_for_the_sure_links(corpus):
    sure, possible, kinds = ([getattr(p, n) for p in corpus] for n in ("sure", "possible", "kinds"))
    links = []
    for pair in corpus:
        found = {}
        for source, target in sorted(pair.possible - pair.sure) + sorted(pair.sure):
            if pair.kinds[target] != "article" or (source, target) not in pair.sure:
                found[target] = source
        links.append({(source, target) for target, source in found.items()})
    strict, kind = (
        alignment_accuracy(links, sure, kinds),
        alignment_accuracy(links, possible, kinds),
    )
    assert strict["article"].share == 0
    assert kind["article"].share > 0.9
    content = ("noun", "verb", "adjective")
    assert sum((strict[name] for name in content), Tally()).share == 1
    error = alignment_error_rate(links, sure, possible)
    assert error.precision == 1
    assert error.recall < 0.95
