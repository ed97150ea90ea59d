"""Figures beside a result: the same picture as PNG and SVG, with the same bytes for the same numbers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from glassformer.sweeps._files import write_atomic

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from glassformer.sweeps._spec import RunSpec


def draw_figures(spec: RunSpec, dataset: xr.Dataset, path: Path) -> str | None:
    """Draw the figure of `spec` into `path`; return what went wrong, None if nothing did.

    A figure that cannot be drawn must not cost the result.
    """
    try:
        figure = spec.draw(dataset)
        images = render(figure)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    for name, data in images.items():
        write_atomic(path / name, data)
    return None


def render(figure: Figure) -> dict[str, bytes]:
    """Return ``figure.png`` and ``figure.svg``; the drawing carries no date and no random names."""
    import matplotlib as mpl

    images: dict[str, bytes] = {}
    with mpl.rc_context({"svg.hashsalt": "glassformer", "svg.fonttype": "path"}):
        for suffix, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=suffix, metadata=metadata, dpi=150, bbox_inches="tight")
            images[f"figure.{suffix}"] = buffer.getvalue()
    if "matplotlib.pyplot" in __import__("sys").modules:
        import matplotlib.pyplot as plt

        plt.close(figure)
    return images
