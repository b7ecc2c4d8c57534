"""Measures of translations, summaries and tags, and of where a model looked (from chapter 04).

A corpus is summed before anything is divided: the mean of its batches' shares is another number.
"""

from attncourse.metrics.alignments import (
    AlignmentError,
    alignment_accuracy,
    alignment_error_rate,
    alignment_links,
)
from attncourse.metrics.detection import (
    AveragePrecision,
    ap50,
    ap50_interval,
    average_precision,
    right_detections,
)
from attncourse.metrics.duplicates import crowding, duplicates
from attncourse.metrics.entities import (
    EntityTally,
    entity_counts,
    entity_f1_interval,
    entity_tally,
)
from attncourse.metrics.intervals import Interval, bleu_interval, bootstrap_interval
from attncourse.metrics.moses import moses_text, moses_tokens
from attncourse.metrics.summaries import (
    RougeL,
    longest_common_subsequence,
    name_accuracy,
    names_right,
    rouge_l,
    rouge_l_interval,
)
from attncourse.metrics.tallies import (
    Tally,
    exact_match,
    log_likelihood,
    perplexity,
    token_accuracy,
)
from attncourse.metrics.translations import Bleu, ComparableBleu, bleu, comparable_bleu

__all__ = [
    "AlignmentError",
    "AveragePrecision",
    "Bleu",
    "ComparableBleu",
    "EntityTally",
    "Interval",
    "RougeL",
    "Tally",
    "alignment_accuracy",
    "alignment_error_rate",
    "alignment_links",
    "ap50",
    "ap50_interval",
    "average_precision",
    "bleu",
    "bleu_interval",
    "bootstrap_interval",
    "comparable_bleu",
    "crowding",
    "duplicates",
    "entity_counts",
    "entity_f1_interval",
    "entity_tally",
    "exact_match",
    "log_likelihood",
    "longest_common_subsequence",
    "moses_text",
    "moses_tokens",
    "name_accuracy",
    "names_right",
    "perplexity",
    "right_detections",
    "rouge_l",
    "rouge_l_interval",
    "token_accuracy",
]
