"""``doctor``: is this installation sound?"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from glassformer.cli._values import print_json, print_table


def doctor_command(as_json: bool) -> int:
    """Print every check; return 1 if one failed."""
    checks: list[dict[str, Any]] = []
    for name, check in (
        ("versions", _versions),
        ("threads", _threads),
        ("compiler cache", _cache),
        ("working directory", _working_directory),
        ("extras", _extras),
        ("random numbers", _random_numbers),
        ("matrix product", _matrix_product),
        ("store", _store),
    ):
        checks.append({"check": name, **_attempt(check)})
    failed = [check for check in checks if not check["ok"]]
    if as_json:
        print_json({"ok": not failed, "checks": checks})
    else:
        rows = [(c["check"], "ok" if c["ok"] else "FAILED", c["detail"]) for c in checks]
        print_table("doctor", ["check", "", "detail"], rows)
        print("next: " + ("glassformer list" if not failed else "repair what failed, then glassformer doctor"))
    for failure in failed:
        print(f"Error: {failure['check']}: {failure['detail']}", file=sys.stderr)
    return 1 if failed else 0


def _attempt(check: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"ok": True, "detail": check()}
    except Exception as error:
        return {"ok": False, "detail": f"{type(error).__name__}: {error}"}


def _versions() -> str:
    from glassformer._core._status import versions

    return ", ".join(f"{name} {version}" for name, version in versions().items())


def _threads() -> str:
    import numpy as np
    from threadpoolctl import threadpool_info

    np.dot(np.ones((2, 2)), np.ones((2, 2)))
    pools = ", ".join(f"{pool['internal_api']} {pool['num_threads']}" for pool in threadpool_info())
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{usable} cores; {pools or 'no thread pool found'}"


def _cache() -> str:
    import glassformer

    configured = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(configured) if configured else Path(glassformer.__file__).parent
    if os.access(folder, os.W_OK):
        return f"{folder} can be written"
    return f"{folder} cannot be written, so compiled code is kept in the user's cache or rebuilt; set NUMBA_CACHE_DIR"


def _working_directory() -> str:
    with tempfile.NamedTemporaryFile(dir=".", prefix=".glassformer-doctor-"):
        return f"{Path.cwd()} can be written"


def _extras() -> str:
    from importlib.util import find_spec

    found = "installed" if find_spec("distributed") is not None else "not installed (only --executor dask needs it)"
    return f"distributed {found}"


def _random_numbers() -> str:
    from glassformer._core._random import philox

    words = [int(word) for word in philox((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), 0x299F31D0A4093822)]
    if words != [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]:
        raise ValueError("Philox-4x32-10 does not give its known answer")
    return "Philox-4x32-10 gives its known answer"


def _matrix_product() -> str:
    import numpy as np

    size, started, count = 256, time.perf_counter(), 0
    matrix = np.eye(size) + np.arange(size) / size**2
    while time.perf_counter() - started < 0.2:
        product = matrix @ matrix
        count += 1
    seconds = time.perf_counter() - started
    row = matrix[3] @ matrix  # the same numbers by another route
    if not np.allclose(product[3], row, rtol=1e-12):
        raise ValueError("a matrix product disagrees with its own row")
    return f"{2 * size**3 * count / seconds / 1e9:.1f} billion operations per second"


def _store() -> str:
    import xarray as xr

    from glassformer.sweeps._netcdf import from_bytes, to_bytes

    dataset = xr.Dataset({"x": ("site", [1.0, float("nan"), float("inf")]), "word": "ü"}, attrs={"status": "ok"})
    data = to_bytes(dataset)
    if data != to_bytes(dataset) or not from_bytes(data).identical(dataset):
        raise ValueError("a result does not survive being written and read")
    return f"a result survives being written and read ({len(data)} bytes)"
