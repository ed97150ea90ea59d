"""Laws of couplings and fields, and how to draw them.

May import `_core` only. To add a law, write a frozen dataclass with ``citations`` and ``sample(*, n, seed)`` that
returns a ``(site, site_)`` array, and name it in the public surface of the package.
"""

from glassformer.couplings._attention import SoftmaxGaussian as SoftmaxGaussian
from glassformer.couplings._attention import attention_couplings as attention_couplings
from glassformer.couplings._fields import gaussian_fields as gaussian_fields
from glassformer.couplings._fields import sphere_fields as sphere_fields
from glassformer.couplings._gaussian import Asymmetric as Asymmetric
from glassformer.couplings._gaussian import SherringtonKirkpatrick as SherringtonKirkpatrick
from glassformer.couplings._lagged import LaggedCouplings as LaggedCouplings
from glassformer.couplings._lagged import LaggedGaussian as LaggedGaussian
from glassformer.couplings._radius import Radius as Radius
from glassformer.couplings._radius import resolve_radius as resolve_radius
