"""Measures of translations and summaries, and of where a model looked (chapters 04, 05 and 13).

A corpus is summed before anything is divided: the mean of its batches' shares is another number.
"""

from attncourse.metrics.alignments import (
    AlignmentError,
    alignment_accuracy,
    alignment_error_rate,
    alignment_links,
)
from attncourse.metrics.intervals import Interval, bleu_interval, bootstrap_interval
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
    "Interval",
    "RougeL",
    "Tally",
    "alignment_accuracy",
    "alignment_error_rate",
    "alignment_links",
    "bleu",
    "bleu_interval",
    "bootstrap_interval",
    "comparable_bleu",
    "exact_match",
    "log_likelihood",
    "longest_common_subsequence",
    "moses_text",
    "moses_tokens",
    "name_accuracy",
    "names_right",
    "perplexity",
    "rouge_l",
    "rouge_l_interval",
    "token_accuracy",
]
