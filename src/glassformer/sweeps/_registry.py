"""The table of runs: name, where it lives, one line about it.

Only strings, so that listing them imports nothing. A paper or a general run is added here with one line; your own run
needs no line at all: its name is its import path, as in ``glassformer run mymodule:MY_RUN``.
"""

from __future__ import annotations

import difflib
import re
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from glassformer._core._errors import InvalidInputError

if TYPE_CHECKING:
    from glassformer.sweeps._spec import RunSpec


class Entry(NamedTuple):
    """One line of the table."""

    target: str
    summary: str


_TABLE: dict[str, Entry] = {
    "vector/solve": Entry("glassformer.runs.vector:SOLVE", "Solve one vector-spin model by a mean-field method"),
    "vector/simulate": Entry(
        "glassformer.runs.vector:SIMULATE", "Simulate one vector-spin model and measure its moments with error bars"
    ),
    "vector/compare": Entry(
        "glassformer.runs.vector_compare:COMPARE", "Simulate one vector-spin model and measure theories against it"
    ),
    "vector/temper": Entry(
        "glassformer.runs.vector_temper:TEMPER", "Parallel tempering of symmetric couplings at many temperatures"
    ),
    "vector/replicas": Entry(
        "glassformer.runs.vector_replicas:REPLICAS", "Do symmetric couplings freeze, and into how many states?"
    ),
    "vector/ground-state": Entry(
        "glassformer.runs.vector_ground_state:GROUND_STATE",
        "The states of least energy of symmetric couplings, and whether all descents find the same",
    ),
    "vector/couplings": Entry(
        "glassformer.runs.vector_couplings:COUPLINGS", "Draw couplings and fields of a law, for the other runs to read"
    ),
    "vector/contraction": Entry(
        "glassformer.runs.vector_contraction:CONTRACTION",
        "Whether mean-field relaxation contracts: certificate, local stability, number of fixed points",
    ),
    "vector/asymmetry": Entry(
        "glassformer.runs.vector_asymmetry:ASYMMETRY", "What asymmetry does to couplings of one variance"
    ),
    "vector/entropy-production": Entry(
        "glassformer.runs.vector_entropy_production:ENTROPY_PRODUCTION",
        "Entropy production of your couplings by every estimator, and where it comes from",
    ),
    "vector/quench": Entry(
        "glassformer.runs.vector_quench:QUENCH", "Change the fields, relax, and count the entropy of every step"
    ),
    "vector/relaxation": Entry(
        "glassformer.runs.vector_relaxation:RELAXATION", "Relaxation modes and lagged correlations of your couplings"
    ),
    "vector/at-line": Entry(
        "glassformer.runs.vector_lines:AT_LINE", "The random field below which replica symmetry breaks, at any D"
    ),
    "vector/gabay-toulouse": Entry(
        "glassformer.runs.vector_lines:GABAY_TOULOUSE",
        "The temperature at which transverse components freeze in a uniform field",
    ),
    "vector/replica-symmetric": Entry(
        "glassformer.runs.vector_lines:REPLICA_SYMMETRIC", "The replica-symmetric solution at any D, and its stability"
    ),
    "sk/at-line": Entry(
        "glassformer.runs.sk_lines:AT_LINE", "Where replica symmetry breaks in the Sherrington-Kirkpatrick model"
    ),
    "context/dmft": Entry(
        "glassformer.runs.context_dmft:DMFT",
        "Stationary correlations, loss floor and entropy production of an extended-context model",
    ),
    "context/design": Entry(
        "glassformer.runs.context_design:DESIGN",
        "Couplings whose autocorrelation is the one you ask for, or why there are none",
    ),
    "context/transient": Entry(
        "glassformer.runs.context_transient:TRANSIENT",
        "Two-time correlations of an extended-context model from any start",
    ),
    "context/exact": Entry("glassformer.runs.context_exact:EXACT", "Solve a small extended-context model exactly"),
    "context/learn": Entry(
        "glassformer.runs.context_learn:LEARN", "A student learns an extended-context teacher: test error beside theory"
    ),
    "context/sample": Entry(
        "glassformer.runs.context_sample:SAMPLE", "Write a corpus of sequences, with its loss floor and theory"
    ),
    "honkoop2025/alignment": Entry(
        "glassformer.papers.honkoop2025.alignment:ALIGNMENT",
        "Fig. 4.1: alignment with the drive against inverse temperature (legacy or correct)",
    ),
    "honkoop2025/alignment-symmetric": Entry(
        "glassformer.papers.honkoop2025.alignment:ALIGNMENT_SYMMETRIC",
        "Fig. B.3.2: the same with symmetrised couplings (J + J^T) / 2",
    ),
    "honkoop2025/convergence": Entry(
        "glassformer.papers.honkoop2025.alignment:CONVERGENCE",
        "Fig. B.3.1: convergence of the legacy sampler against the number of moves",
    ),
    "honkoop2025/kinetic-ratios": Entry(
        "glassformer.papers.honkoop2025.alignment:KINETIC_RATIOS",
        "Fig. A.2.1: three acceptance ratios of the legacy sampler at low temperature",
    ),
    "honkoop2025/phase-diagram": Entry(
        "glassformer.papers.honkoop2025.phase_diagram:PHASE_DIAGRAM",
        "Fig. 4.2: overlap matrices over field and temperature (correct, legacy, or D = 1, 2, 3)",
    ),
    "honkoop2025/overlap-matrices": Entry(
        "glassformer.papers.honkoop2025.overlap_matrices:OVERLAP_MATRICES",
        "Fig. 2.5: overlap matrices of equilibrated replicas, replica symmetric and broken",
    ),
    "honkoop2025/observables": Entry(
        "glassformer.papers.honkoop2025.observables:OBSERVABLES",
        "Text of B.3: specific heat and autocorrelation time against inverse temperature (legacy or correct)",
    ),
    "honkoop2025/sk-phase-diagrams": Entry(
        "glassformer.papers.honkoop2025.phases:SK_PHASE_DIAGRAMS",
        "Figs. 2.3, 2.4: phases of the Sherrington-Kirkpatrick model against ferromagnetic mean and field",
    ),
    "bal2023/vector-dynamics": Entry(
        "glassformer.papers.bal2023.vector:VECTOR_DYNAMICS",
        "Figures 2-5: naive mean field, TAP (corrected and as published) and Gram closure relaxing from one state",
    ),
    "bal2023/binary": Entry(
        "glassformer.papers.bal2023.binary:BINARY",
        "Kinetic Ising model: relaxation, random starts and spread over samples around the critical temperature",
    ),
    "bal2023/response": Entry(
        "glassformer.papers.bal2023.vector:RESPONSE", "Figure 6: length of the mean spin against length of the field"
    ),
    "bal2023/bessel": Entry(
        "glassformer.papers.bal2023.vector:BESSEL",
        "Bessel ratios at x = sqrt(nu), nu, nu^2: they tend to 0, sqrt(2) - 1, 1",
    ),
    "bal2026/fidelity": Entry(
        "glassformer.papers.bal2026:FIDELITY",
        "Fidelity of first-order mean-field theory and of the Gram closure against simulation of softmax couplings",
    ),
    "bal2026/large-d": Entry(
        "glassformer.papers.bal2026:LARGE_D",
        "The closed-form response of large D against the exact one: error of order 1/D, useless at D = 3",
    ),
    "zavatone2025/two-time": Entry(
        "glassformer.papers.zavatone2025.two_time:TWO_TIME",
        "Correlations of any two times, theory beside simulation, for every rule and two starts",
    ),
    "zavatone2025/stationary": Entry(
        "glassformer.papers.zavatone2025.stationary:STATIONARY",
        "Stationary correlations of Ising tokens, theory beside simulation, with two laws without memory",
    ),
    "zavatone2025/stability": Entry(
        "glassformer.papers.zavatone2025.stability:STABILITY",
        "Two lags, Gaussian rule: feasible wedge, stable triangle, correlation time, eigenvalues of one draw",
    ),
    "zavatone2025/design": Entry(
        "glassformer.papers.zavatone2025.design:DESIGN",
        "From a wanted autocorrelation to couplings: three targets, and one that no couplings have",
    ),
    "zavatone2025/finite-size": Entry(
        "glassformer.papers.zavatone2025.finite_size:FINITE_SIZE",
        "Spread over draws of time-averaged and of single correlations against the number of sites",
    ),
    "zavatone2025/spherical": Entry(
        "glassformer.papers.zavatone2025.spherical:SPHERICAL",
        "Spherical rule: correlation time against inverse temperature, and aging at zero temperature",
    ),
    "zavatone2025/irreversibility": Entry(
        "glassformer.papers.zavatone2025.irreversibility:IRREVERSIBILITY",
        "Entropy production over all covariances of three lags with one and the same stationary correlation",
    ),
    "zavatone2025/learning": Entry(
        "glassformer.papers.zavatone2025.learning:LEARNING",
        "Learning curves: least squares, ridge, Bayes, logistic likelihood, online descent, theory beside runs",
    ),
}

NAMES = _TABLE.keys()
"""Every name of the table (a live view)."""


def register(name: str, target: str, summary: str = "") -> None:
    """Add the run `name`, found at `target` (``"module:attribute"``), to the table of this process.

    Worker processes do not see it; for sweeps over several processes use ``"module:attribute"`` as the name.
    """
    if not re.fullmatch(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+", name):
        raise InvalidInputError(f"the run name is {name!r}, but must look like 'family/name'.")
    _TABLE[name] = Entry(target, summary)


def entries() -> dict[str, str]:
    """Return every name with its one-line summary, in the order of the table."""
    return {name: entry.summary for name, entry in _TABLE.items()}


def known(name: str) -> bool:
    """Whether `name` is in the table or is an import path."""
    return name in _TABLE or _is_import_path(name)


def find(name: str) -> RunSpec:
    """Return the run called `name`, or the object at the import path ``"module:attribute"``.

    Raises
    ------
    InvalidInputError
        For an unknown name, with the nearest known one.
    """
    from glassformer.sweeps._spec import RunSpec

    if name in _TABLE:
        target = _TABLE[name].target
    elif _is_import_path(name):
        target = name
    else:
        near = difflib.get_close_matches(name, _TABLE, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InvalidInputError(f"no run is called {name!r}; {hint}`glassformer list` shows all of them.")
    module_name, attribute = target.split(":")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        # A missing dependency of the module is a different matter from a missing module.
        if error.name and (module_name == error.name or module_name.startswith(error.name + ".")):
            raise InvalidInputError(
                f"the run {name!r} lives in the module {module_name!r}, which cannot be imported here; "
                "is its folder on PYTHONPATH?"
            ) from error
        raise
    spec = getattr(module, attribute, None)
    if not isinstance(spec, RunSpec):
        raise InvalidInputError(
            f"{target!r} is not a RunSpec; a run is named by its table entry or 'module:ATTRIBUTE'."
        )
    return spec


def _is_import_path(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", name) is not None
