"""The libraries that the tests compare with, and the one place that may go without them."""

from __future__ import annotations

import os

import pytest


def need_peer(name: str) -> None:
    """Skip a test whose library is missing, where ATTNCOURSE_WITHOUT_PEERS says that it may be."""
    if "ATTNCOURSE_WITHOUT_PEERS" in os.environ:
        pytest.importorskip(name, reason="the job with the oldest libraries goes without it")
