"""What is being studied: arrays bound to a kind of spin; energies and local fields.

May import `_core` and `couplings`. To add a model, write a frozen dataclass that checks its arrays once and offers
``n``, ``local_fields`` and ``energy``; dynamics and theories say which models they accept.
"""

from glassformer.models._attention import attention_models as attention_models
from glassformer.models._extended_context import ContextEnsemble as ContextEnsemble
from glassformer.models._extended_context import ExtendedContext as ExtendedContext
from glassformer.models._token_rule import TokenRule as TokenRule
from glassformer.models._vector_glass import VectorGlass as VectorGlass
from glassformer.models._vector_spin import VectorSpin as VectorSpin
