"""How the next token is drawn from the field: the update rules of extended-context models."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from glassformer._core._arcsine_mixture import NODES, NoiseMixture, logistic_noise, probit_noise
from glassformer._core._errors import invalid
from glassformer._core._validation import LARGEST_SCALE, as_choice, as_number

VARIANTS = ("ising", "probit", "graded", "gaussian", "spherical")
SIGMOID = ("ising", "probit", "graded")


@dataclass(frozen=True, slots=True)
class TokenRule:
    r"""The rule by which all sites of a token :math:`s_t` follow from their fields :math:`h_t`, at once.

    ==========  =================================================================================================
    variant     rule
    ==========  =================================================================================================
    ising       :math:`P(s_i=\pm1)=e^{\pm\beta h_i}/2\cosh\beta h_i`; the sign of h for :math:`\beta=\infty`
    probit      :math:`s=\operatorname{sign}(h+\xi/\beta)`, :math:`\xi\sim N(0,1)`
    graded      :math:`s=\tanh\beta h`, deterministic
    gaussian    :math:`s=h+\sigma\xi`
    spherical   density :math:`\propto e^{\beta s\cdot h}` on :math:`\lVert s\rVert^2=N`; :math:`\sqrt Nh/\lVert h\rVert` for
                :math:`\beta=\infty`
    ==========  =================================================================================================

    Parameters
    ----------
    variant : str
        A row of the table.
    beta : float
        Inverse temperature, 0 to infinity (an inverse field); not used by ``gaussian``.
    sigma : float
        Standard deviation of the noise, only of ``gaussian``.

    References
    ----------
    Zavatone-Veth and Pehlevan 2025, arXiv:2507.18461; probit and graded are extensions of this package.

    Examples
    --------
    >>> TokenRule("ising", beta=2.0)
    TokenRule(variant='ising', beta=2.0, sigma=1.0)
    """

    variant: str = "ising"
    _: KW_ONLY
    beta: float = 1.0
    sigma: float = 1.0

    citations: ClassVar[tuple[str, ...]] = ("zavatone2025",)

    def __post_init__(self) -> None:
        as_choice("variant", self.variant, VARIANTS)
        as_number("beta", self.beta, minimum=0.0, allow_infinity=True)
        as_number("sigma", self.sigma, minimum=0.0, exclusive_minimum=True)
        for name, largest in (("beta", LARGEST_SCALE**3), ("sigma", LARGEST_SCALE)):
            number = float(getattr(self, name))
            if 0.0 < number < math.inf and not 1.0 / largest <= number <= largest:
                raise invalid(name, number, f"between {1.0 / largest:g} and {largest:g}, or 0 or inf for beta")
        if self.variant == "gaussian" and self.beta != 1.0:
            raise invalid("beta", self.beta, "left out for variant='gaussian'", "sigma sets the noise")
        if self.variant != "gaussian" and self.sigma != 1.0:
            raise invalid("sigma", self.sigma, f"left out for variant={self.variant!r}", "beta sets the noise")

    @property
    def deterministic(self) -> bool:
        """Whether the next token is a function of the past."""
        return self.variant == "graded" or (self.variant != "gaussian" and math.isinf(self.beta))

    @property
    def fixed_norm(self) -> bool:
        """Whether every token has :math:`s\\cdot s=N`."""
        return self.variant in ("ising", "probit", "spherical") or (self.variant == "graded" and math.isinf(self.beta))

    @property
    def noise(self) -> NoiseMixture:
        """The rule as a sign with Gaussian noise of random variance (ising, probit) or its mean (graded)."""
        return self.noise_with()

    def noise_with(self, nodes: int = NODES) -> NoiseMixture:
        """Return `noise` with a number of nodes of its own for the logistic law."""
        if self.variant == "probit":
            return probit_noise(float(self.beta))
        if self.variant in SIGMOID:
            return logistic_noise(float(self.beta), nodes)
        raise invalid("variant", self.variant, "one of " + ", ".join(SIGMOID), "the others have no sigmoid")
