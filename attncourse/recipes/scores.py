"""How a trained translator is judged (chapters 04 and 05)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from attncourse.attention import AttentionLayer, record_attention
from attncourse.data.batches import Batch, Batches
from attncourse.data.grammar.clauses import Pair
from attncourse.data.real import Pair as Caption
from attncourse.data.vocabulary import Vocabulary, split_words
from attncourse.masks import padding_mask
from attncourse.metrics import (
    Tally,
    alignment_accuracy,
    alignment_error_rate,
    alignment_links,
    bleu_interval,
    comparable_bleu,
    exact_match,
    moses_text,
    moses_tokens,
    token_accuracy,
)
from attncourse.recipes.recipe import Recipe
from attncourse.runtime import device_of, evaluating
from attncourse.training import mean_loss
from attncourse.translator import BEAM, Translator

BINS = ((3, 6), (7, 10), (11, 14), (15, 18), (19, 22), (23, 25), (26, 30), (31, 36))
LONG = 16  # "above 16 words" are the sentences whose English has more
CONTENT = ("noun", "verb", "adjective")


def of_embedded(translate: Translator, tests: dict[str, Sequence[Pair]]) -> dict[str, Any]:
    """Judge on the embedded corpus: part by part, and by the length of the English sentence."""
    return {name: of_part(translate, pairs) for name, pairs in tests.items()}


def of_part(translate: Translator, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Count exact matches and right tokens, and where there is attention, right links."""
    written = translate.words([pair.source for pair in pairs])
    matches = [
        exact_match([words], [list(pair.target)])
        for words, pair in zip(written, pairs, strict=True)
    ]
    tokens, links = teacher_forced(translate, pairs)
    lengths = [len(pair.source) for pair in pairs]

    def among(chosen: list[int]) -> dict[str, Any]:
        return {
            "sentences": len(chosen),
            "exact_match": _share([matches[i] for i in chosen]),
            "token_accuracy": _share([tokens[i] for i in chosen]),
        }

    long = [i for i, length in enumerate(lengths) if length > LONG]
    by_length = {}
    for low, high in BINS:
        chosen = [i for i, length in enumerate(lengths) if low <= length <= high]
        if chosen:
            by_length[f"{low}-{high}"] = among(chosen)
    scores = {**among(list(range(len(pairs)))), f"above_{LONG}_words": among(long)}
    if links is not None:
        scores["alignment"] = of_links(links, pairs)
    return {**scores, "by_length": by_length}


def teacher_forced(
    translate: Translator, pairs: Sequence[Pair]
) -> tuple[list[Tally], list[frozenset[tuple[int, int]]] | None]:
    """Let the model read the true translations: its right tokens, the end mark counted, and its
    links, sentence by sentence; no links from a model without attention, or to parts of words."""
    model, device = translate.model, device_of(translate.model)
    words = translate.source.kind == translate.target.kind == Vocabulary.kind
    ids = [
        (translate.source.encode(pair.source), translate.target.encode(pair.target))
        for pair in pairs
    ]
    tallies: dict[int, Tally] = {}
    links: dict[int, frozenset[tuple[int, int]]] = {}
    for batch in Batches(ids, sentences=250, bucket=len(ids)):
        source_mask = padding_mask(batch.source_lengths, batch.source.shape[1])
        target_mask = padding_mask(batch.target_lengths - 1, batch.labels.shape[1])
        logits, weights = _run(model, batch.to(device), source_mask.to(device), linked=words)
        for row, i in enumerate(batch.indices.tolist()):
            one = slice(row, row + 1)
            tallies[i] = token_accuracy(logits[one], batch.labels[one], target_mask[one])
        if weights is not None:
            unmarked = padding_mask(batch.target_lengths - 2, weights.shape[2])  # no end mark
            found = alignment_links(weights, unmarked, source_mask)
            links.update(zip(batch.indices.tolist(), found, strict=True))
    every = range(len(pairs))
    return [tallies[i] for i in every], [links[i] for i in every] if links else None


def of_links(links: Sequence[frozenset[tuple[int, int]]], pairs: Sequence[Pair]) -> dict[str, Any]:
    """Compare links with the gold ones: the error rate, and the share of words linked rightly."""
    sure = [pair.sure for pair in pairs]
    possible = [pair.possible for pair in pairs]
    kinds = [pair.kinds for pair in pairs]
    error = alignment_error_rate(links, sure, possible)
    strict, lenient = (alignment_accuracy(links, gold, kinds) for gold in (sure, possible))
    return {
        "error_rate": round(error.rate, 4),
        "content_words": _share([lenient[kind] for kind in CONTENT]),
        "sure": {kind: round(tally.share, 4) for kind, tally in strict.items()},
        "possible": {kind: round(tally.share, 4) for kind, tally in lenient.items()},
    }


def of_captions(translate: Translator, pairs: Sequence[Caption], language: str) -> dict[str, Any]:
    """Score translations of real captions under the course's convention, with an interval."""
    cut = [split_words(pair.source) for pair in pairs]
    references = [pair.target for pair in pairs]
    ids = [
        (translate.source.encode(source), translate.target.encode(split_words(target)))
        for source, target in zip(cut, references, strict=True)
    ]
    loss = mean_loss(translate.model, Batches(ids, sentences=250, bucket=len(ids)))
    scores: dict[str, Any] = {"loss": round(loss, 4)}
    for name, search in (("greedy", {}), ("beam", BEAM)):
        written = translate.words(cut, **search)
        texts = [moses_text(words, language) for words in written]
        bleu = comparable_bleu(texts, references, language)
        interval = bleu_interval(
            moses_tokens(texts, language),
            moses_tokens(references, language),
            tokenize="none",
            lowercase=True,
        )
        scores[name] = {
            "bleu": round(bleu.moses.score, 2),
            "interval": [round(interval.low, 2), round(interval.high, 2)],
            "bleu_13a": round(bleu.standard.score, 2),
            "signature": bleu.moses.signature,
            "signature_13a": bleu.standard.signature,
            **search,
        }
    return scores


def require_scorer(recipe: Recipe) -> None:
    """Refuse a recipe whose scores need a library that is missing, by scoring a word.

    Raises:
        ImportError: if it is; the message says how to install it.
    """
    if recipe.corpus != "embedded":
        comparable_bleu(["un"], ["un"], recipe.target)


def _run(model, batch: Batch, source_mask: torch.Tensor, *, linked: bool):
    inputs = batch.source, batch.decoder_input, source_mask
    attends = linked and any(isinstance(layer, AttentionLayer) for layer in model.modules())
    with torch.no_grad(), evaluating(model):
        if not attends:
            return model(*inputs).cpu(), None
        with record_attention(model) as maps:
            logits = model(*inputs)
    # The decoder's looks at the source; of a Transformer the last layer's, its heads together.
    looks = [name for name in maps if name.startswith("decoder") and "self_attention" not in name]
    return logits.cpu(), maps[looks[-1]].mean(1, keepdim=True).cpu()


def _share(tallies: Sequence[Tally]) -> float | None:
    total = sum(tallies, Tally())
    return round(total.share, 4) if total.tries else None
