"""SLURM: a generated array script. No daemon, no connection; the text says everything."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

from glassformer._core._errors import InvalidInputError
from glassformer.sweeps._files import make_directory, write_atomic
from glassformer.sweeps._store import SCRIPT

MAX_TASKS = 1000  # what most sites allow in one array
_TIME = re.compile(r"\d+(:\d\d(:\d\d)?)?|\d+-\d+(:\d\d(:\d\d)?)?")

_TEMPLATE = """\
#!/bin/bash
# Computes the points of {directory}, one array task for every {chunk}. Safe to submit again: what is done is skipped.
#SBATCH --job-name={job}
#SBATCH --array=0-{last}
#SBATCH --cpus-per-task=1
#SBATCH --time={time_limit}
{partition}#SBATCH --output="{logs}"
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@90

export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1

# Ninety seconds before the time is up: stop politely, go back to the queue, and continue from what is stored.
requeue() {{
    kill -TERM "$child" 2>/dev/null
    wait "$child"
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
    exit 0
}}
trap requeue USR1

{command} &
child=$!
wait "$child"
"""


def write_script(
    path: Path, size: int, *, time_limit: str = "01:00:00", partition: str | None = None, chunk: int | None = None
) -> dict[str, Any]:
    """Write ``submit.sh`` for the sweep in `path` with `size` points; return the file and what to do with it."""
    if _TIME.fullmatch(time_limit) is None:
        raise InvalidInputError(f"--time is {time_limit!r}, but must look like 01:00:00 or 2-12:00:00.")
    if partition is not None and re.fullmatch(r"[\w.,-]+", partition) is None:
        raise InvalidInputError(f"--partition is {partition!r}, but must be the name of a partition.")
    if chunk is None:
        chunk = -(-size // MAX_TASKS)
    if chunk < 1:
        raise InvalidInputError(f"--chunk is {chunk}, but must be an integer >= 1.")
    directory = path.absolute()
    resume = f"{shlex.quote(sys.executable)} -m glassformer.cli resume {shlex.quote(str(directory))}"
    if chunk == 1:
        command = f'{resume} --point "$SLURM_ARRAY_TASK_ID"'
    else:
        command = (
            f"first=$((SLURM_ARRAY_TASK_ID * {chunk}))\n"
            f"last=$((first + {chunk} < {size} ? first + {chunk} : {size}))\n"
            f'{resume} --point "$first:$last"'
        )
    make_directory(path / "logs")
    text = _TEMPLATE.format(
        directory=directory,
        chunk="point" if chunk == 1 else f"{chunk} points",
        job=re.sub(r"[^\w.-]", "-", path.name),
        last=-(-size // chunk) - 1,
        time_limit=time_limit,
        partition=f"#SBATCH --partition={partition}\n" if partition else "",
        logs=directory / "logs" / "%a.txt",
        command=command,
    )
    write_atomic(path / SCRIPT, text.encode())
    submit = f"sbatch {shlex.quote(str(path / SCRIPT))}"
    return {
        "script": str(path / SCRIPT),
        "tasks": -(-size // chunk),
        "instructions": [
            f"prepared {size} points in {path}",
            f"submit:  {submit}",
            f"watch:   glassformer status {path}",
            f"collect: glassformer resume {path}",
        ],
    }
