"""The style of all figures (every chapter): one palette, and how boxes and arrows look."""

from __future__ import annotations

import matplotlib.pyplot as plt

# Okabe and Ito's palette, which colour-blind readers can tell apart; yellow is left out because
# it fades on white.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, BLACK = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#222222",
)
COLOURS = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY, BLACK)


def style() -> None:
    """Set Matplotlib's defaults for the book: white ground, large type, one palette.

    Example:
        >>> with plt.rc_context():  # the settings end with the block
        ...     style()
        ...     plt.rcParams["figure.dpi"]
        110.0
    """
    plt.rcParams.update(
        {
            "figure.figsize": (6.4, 3.6),
            "figure.dpi": 110,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "savefig.facecolor": "white",
            "font.size": 11,
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": plt.cycler(color=COLOURS),
            "legend.frameon": False,
            "lines.linewidth": 2,
        }
    )


def box(ax, x, y, colour, inside="", *, below="", above="") -> None:
    """Draw a box 0.7 wide, with what goes into it from below and what comes out above."""
    ax.add_patch(plt.Rectangle((x, y), 0.7, 0.7, color=colour, zorder=3))
    ax.text(x + 0.35, y + 0.35, inside, ha="center", va="center", color="white", zorder=4)
    ax.text(x + 0.35, y - 0.75, below, ha="center", va="center")
    ax.text(x + 0.35, y + 1.4, above, ha="center", va="center")
    if below:
        arrow(ax, (x + 0.35, y - 0.5), (x + 0.35, y))
    if above:
        arrow(ax, (x + 0.35, y + 0.7), (x + 0.35, y + 1.2))


def arrow(ax, start, end, **line) -> None:
    looks = {"arrowstyle": "->", "color": BLACK, "shrinkA": 0, "shrinkB": 0, **line}
    ax.annotate("", end, start, arrowprops=looks)
