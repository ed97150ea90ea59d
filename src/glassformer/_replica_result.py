"""Label what replicas at several temperatures have in common: every variable with its error, and one verdict each."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from glassformer._core._validation import FloatArray
from glassformer.models import VectorSpin
from glassformer.observables._overlaps import (
    aligned_overlaps,
    binder_ratio,
    clustering_order,
    invariant_overlaps,
    raw_overlaps,
    squared_overlaps,
)
from glassformer.observables._replica_statistics import (
    EquilibrationTest,
    Verdict,
    classify,
    overlap_density,
    pair_jackknife,
    susceptibilities,
    ultrametricity,
)

_PAIR = ("replica", "replica_")
_BINS = 50


def replica_dataset(
    model: VectorSpin, betas: FloatArray, snapshots: FloatArray, tests: list[EquilibrationTest]
) -> xr.Dataset:
    """Return the Dataset of `compare_replicas` without its evidence.

    ``snapshots (level, snapshot, replica, site, component)``, one equilibration test per level.
    """
    levels = [_level(model, own, test) for own, test in zip(snapshots, tests)]
    variables: dict[str, Any] = {}
    for name, (dims, _) in levels[0].items():
        variables[name] = (("beta", *dims), np.stack([np.asarray(level[name][1]) for level in levels]))
    dataset = xr.Dataset(variables, coords={"beta": betas, "overlap_bin": _density(model, [0.0])[0]})
    dataset["energy"].attrs["units"] = "energy per spin, convention half"
    dataset["internal_energy"].attrs["units"] = "energy of the couplings per spin, convention half"
    for name in ("overlap", "overlap_invariant", "overlap_aligned"):
        dataset[name].attrs["averages_over"] = "nothing: the last configurations"
    return dataset


def _level(model: VectorSpin, spins: FloatArray, test: EquilibrationTest) -> dict[str, tuple[tuple[str, ...], Any]]:
    """Return name to (dims, values) for one temperature."""
    radius, replicas = model.r, spins.shape[1]
    kinds = {
        "overlap": np.stack([raw_overlaps(now, radius=radius) for now in spins]),
        "overlap_invariant": np.stack([invariant_overlaps(now) for now in spins]),
        "overlap_aligned": np.stack([aligned_overlaps(now, radius=radius) for now in spins]),
    }
    found: dict[str, tuple[tuple[str, ...], Any]] = {}
    upper = np.triu_indices(replicas, 1)
    for name, matrices in kinds.items():
        found[name] = (_PAIR, matrices[-1])
        mean, error = pair_jackknife(matrices.mean(axis=0))
        found[f"{name}_mean"], found[f"{name}_mean_error"] = ((), mean), ((), error)
        found[f"{name}_spread"] = ((), matrices[:, upper[0], upper[1]].std())
    aligned = kinds["overlap_aligned"][:, upper[0], upper[1]]
    found["overlap_values"] = (("snapshot", "pair_of_replicas"), kinds["overlap"][:, upper[0], upper[1]])
    found["overlap_aligned_values"] = (("snapshot", "pair_of_replicas"), aligned)
    found["overlap_density"] = (("overlap_bin",), _density(model, found["overlap_values"][1])[1])
    found["overlap_aligned_density"] = (("overlap_bin",), _density(model, aligned)[1])
    found["cluster_order"] = (("replica",), clustering_order(kinds["overlap_aligned"][-1]))
    found["ultrametricity"] = ((), ultrametricity(kinds["overlap_aligned"]))
    squared = np.stack([squared_overlaps(now) for now in spins])
    found["binder_ratio"] = ((), binder_ratio(squared[:, upper[0], upper[1]].ravel(), dim=model.dim))
    plain, replicon = susceptibilities(spins, radius=radius, connected=bool(np.any(model.fields)))
    found["spin_glass_susceptibility"], found["replicon_susceptibility"] = ((), plain), ((), replicon)
    found["overlap_squared"] = ((), pair_jackknife(squared.mean(axis=0))[0])
    found["self_overlap_squared"] = ((), np.diagonal(squared, axis1=1, axis2=2).mean())
    energies = model.energy(spins).mean(axis=0)
    drive = np.einsum("sria,ia->r", spins, model.fields) / (spins.shape[0] * model.n)
    for name, values in (("energy", energies), ("internal_energy", energies + drive)):
        found[name] = ((), values.mean())
        found[f"{name}_error"] = ((), values.std(ddof=1) / np.sqrt(replicas))
    for name, gap in test.differences.items():
        found[name], found[f"{name}_error"] = ((), gap), ((), test.errors[name])
    verdict = classify(n=model.n, dim=model.dim, susceptibility=plain, aligned=aligned.ravel())
    found["equilibrated"] = ((), int(test.passed))
    found["verdict"] = ((), verdict.kind if test.passed else "not equilibrated")
    found["verdict_sentence"] = ((), _sentence(test, verdict))
    return found


def _density(model: VectorSpin, overlaps: Any) -> tuple[FloatArray, FloatArray]:
    """Return P(q) in bins that fit the steps of q, which exist for Ising spins only."""
    return overlap_density(overlaps, bins=_BINS, quantum=2.0 / model.n if model.dim == 1 else None)


def _sentence(test: EquilibrationTest, verdict: Verdict) -> str:
    if test.passed:
        return f"Equilibrated; {verdict.kind}: {verdict.reason}."
    name, gap, error = test.worst
    return f"Not equilibrated: {name.replace('_', ' ')} {gap:.2g} with error {error:.2g}, and both must be below 0.05."
