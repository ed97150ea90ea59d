"""How much memory there is, so that what cannot fit is refused before it is begun."""

from __future__ import annotations

import math
import os

from glassformer._core._errors import invalid


def machine_memory() -> float:
    """Return the bytes of memory of this machine, or infinity where it does not say."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return math.inf


def require_memory(what: str, size: float, next_step: str) -> None:
    """Raise when `size` bytes are more than this machine has."""
    memory = machine_memory()
    if size > memory:
        allowed = f"at most the {memory:.3g} of this machine"
        raise invalid(f"the memory of {what}, in bytes,", float(f"{size:.3g}"), allowed, next_step)
