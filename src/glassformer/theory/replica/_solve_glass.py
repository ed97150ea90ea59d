"""What `solve` calls for the law of a whole glass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glassformer._core._errors import MethodNotApplicableError

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.models import VectorGlass


def solve_glass(glass: VectorGlass, method: Any) -> xr.Dataset:
    """Return the limit of infinitely many spins of `glass` under a theory of `glassformer.theory.replica`, as scalars.

    Raises
    ------
    MethodNotApplicableError
        When the method is not one of replica theory; `solve` has refused the combinations that it knows before.
    """
    if not hasattr(method, "solve_glass"):
        from glassformer.theory._methods import methods

        names = ", ".join(methods(glass).solvers)
        raise MethodNotApplicableError(
            f"{type(method).__name__} does not solve a VectorGlass; {names} do, or sample it and solve the sample."
        )
    found: xr.Dataset = method.solve_glass(glass)
    return found
