"""Measures of a translation, and of where its model looked (chapters 04 and 05).

A corpus is summed before anything is divided: the mean of its batches' shares is another number.
"""

from attncourse.metrics.alignments import (
    AlignmentError,
    alignment_accuracy,
    alignment_error_rate,
    alignment_links,
)
from attncourse.metrics.entities import (
    EntityTally,
    entity_counts,
    entity_f1_interval,
    entity_tally,
)
from attncourse.metrics.intervals import Interval, bleu_interval, bootstrap_interval
from attncourse.metrics.tallies import (
    Tally,
    exact_match,
    log_likelihood,
    perplexity,
    token_accuracy,
)
from attncourse.metrics.translations import (
    Bleu,
    ComparableBleu,
    bleu,
    comparable_bleu,
    moses_text,
    moses_tokens,
)

__all__ = [
    "AlignmentError",
    "Bleu",
    "ComparableBleu",
    "EntityTally",
    "Interval",
    "Tally",
    "alignment_accuracy",
    "alignment_error_rate",
    "alignment_links",
    "bleu",
    "bleu_interval",
    "bootstrap_interval",
    "comparable_bleu",
    "entity_counts",
    "entity_f1_interval",
    "entity_tally",
    "exact_match",
    "log_likelihood",
    "moses_text",
    "moses_tokens",
    "perplexity",
    "token_accuracy",
]
