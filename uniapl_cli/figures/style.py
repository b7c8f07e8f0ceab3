"""How all figures look: colours, lines, letters, sizes in inches. In one place."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# What is not a series: letters, axes, and the series that others are compared with.
INK, GROUND = "#1b1b1f", "#ffffff"
# At least 3:1 on white and on near-black, and apart from each other for colour-blind readers too.
PALETTE = ("#2e78d2", "#d95f02", "#9326ff", "#806c46", "#cc709e")
# With these no two of the first 25 series look the same.
DASHES: tuple[Any, ...] = (
    "solid",
    (0, (5, 1.5)),
    (0, (1.5, 1.2)),
    (0, (6, 1.5, 1.5, 1.5)),
    "dashed",
)
MARKERS = ("o", "s", "^", "D", "v")

WIDE, RAW, BAND = 1.6, 0.3, 0.18  # the lines' width; how opaque raw lines and bands are
SIZE, SMALL, LARGE = 8.0, 7.5, 9.5  # of letters, in points
LINE = 0.165  # of letters, in inches
DPI = 200

SETTINGS: dict[str, Any] = {
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.labelsize": SIZE,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": SIZE,
    "axes.titleweight": "bold",
    "axes.xmargin": 0.02,
    "figure.facecolor": GROUND,
    "font.family": ["DejaVu Sans"],
    "font.size": SIZE,
    "grid.alpha": 0.13,
    "grid.color": INK,
    "grid.linewidth": 0.6,
    "legend.fontsize": SIZE,
    "legend.frameon": False,
    "lines.linewidth": WIDE,
    "path.simplify": True,
    "path.simplify_threshold": 0.1,
    "svg.fonttype": "none",
    "svg.hashsalt": "uniapl",
    "text.color": INK,
    # Names of runs are not formulas.
    "text.parse_math": False,
    "xtick.color": INK,
    "xtick.labelsize": SMALL,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "xtick.minor.size": 0,
    "ytick.color": INK,
    "ytick.labelsize": SMALL,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw so, whatever the user's own matplotlibrc says."""
    import matplotlib

    groups = {name.partition(".")[0] for name in SETTINGS} | {"savefig", "patch"}
    ours: Any = {
        name: value
        for name, value in matplotlib.rcParamsDefault.items()
        if name.partition(".")[0] in groups
    }
    with matplotlib.rc_context(ours | SETTINGS), warnings.catch_warnings():
        # A script that DejaVu lacks: SVG has the text, PNG a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def colour(index: int) -> str:
    """Return the colour of a figure's series by its number."""
    return PALETTE[index % len(PALETTE)]


def dash(index: int) -> Any:
    """Return the dashes of a figure's line by its number."""
    return DASHES[index // len(PALETTE) % len(DASHES)]


def marker(index: int) -> str:
    """Return the mark of a figure's points by their number."""
    return MARKERS[index % len(MARKERS)]
