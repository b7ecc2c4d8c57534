"""The function with a bug to find (chapter 13), one that looks right.

It may not be mended here.
"""

from __future__ import annotations


def mixed_log_probabilities(written, copied, gate):
    """Give the logarithms of what is written or copied, `gate` being the share that is copied."""
    return (1 - gate) * written.log() + gate * copied.log()
