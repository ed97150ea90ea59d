"""From data to couplings: windows of a sequence are regressed on their past, one row of couplings per site.

May import everything below it, not `theory` or `data`. To add an estimator, write a frozen dataclass with ``citations`` and
``fit(windows, *, fields) -> Fit`` (all sites at once), export it here, and `infer` labels, scores and documents the result.
"""

from glassformer.inference._fit import Fit as Fit
from glassformer.inference._infer import infer as infer
from glassformer.inference._linear import BayesRidge as BayesRidge
from glassformer.inference._linear import LeastSquares as LeastSquares
from glassformer.inference._linear import Ridge as Ridge
from glassformer.inference._logistic import LogisticLikelihood as LogisticLikelihood
from glassformer.inference._mean_field import MeanFieldInversion as MeanFieldInversion
from glassformer.inference._online import OnlineSGD as OnlineSGD
from glassformer.inference._windows import Windows as Windows
from glassformer.inference._windows import windows as windows
