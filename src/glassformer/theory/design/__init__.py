"""Couplings for a prescribed stationary autocorrelation.

`design` reads the target, inverts the rule, divides spectra and realises the diagonal sums; `Design` is what it returns.
"""

from glassformer.theory.design._design import design as design
from glassformer.theory.design._result import Design as Design
