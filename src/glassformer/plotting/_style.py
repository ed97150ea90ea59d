"""One look for all figures, applied locally and never to the user's matplotlib."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Colour-blind safe (Okabe and Ito); one colour per method everywhere.
COLORS = {
    "nmf": "#D55E00",
    "tap": "#009E73",
    "tap_absolute": "#56B4E9",
    "gram": "#0072B2",
    "gaussian": "#CC79A7",
    "saddle_point": "#E69F00",
    "adaptive_tap": "#56B4E9",
    "enumeration": "#777777",
    "simulation": "#000000",
}
LABELS = {
    "nmf": "naive mean field",
    "tap": "TAP",
    "tap_absolute": "|TAP|",
    "gram": "Gram closure",
    "gaussian": "Gaussian closure",
    "saddle_point": "saddle point",
    "adaptive_tap": "adaptive TAP",
    "enumeration": "enumeration",
    "simulation": "simulation",
}

_STYLE: dict[str, Any] = {
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "lines.linewidth": 1.5,
    "savefig.dpi": 160,
    "figure.dpi": 160,
    "svg.hashsalt": "glassformer",  # the same figure gives the same file
    "svg.fonttype": "none",
}


@contextmanager
def style() -> Iterator[None]:
    """Draw inside this context to get the house style."""
    with rc_context(_STYLE):  # type: ignore[arg-type]
        yield


def panels(columns: int, *, rows: int = 1, width: float = 4.0, height: float = 3.1) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure without a window behind it, and its axes row by row."""
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.flat)


def series_colors(count: int) -> list[Any]:
    """Return `count` colours from dark to light for an ordered parameter."""
    from matplotlib import colormaps

    return [colormaps["viridis"](0.05 + 0.85 * k / max(count - 1, 1)) for k in range(count)]
