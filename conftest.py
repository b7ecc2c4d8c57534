"""What the tests and the docstrings' examples have in common."""

import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    """Close what an example has drawn: matplotlib warns of the twenty-first."""
    yield
    plt.close("all")
