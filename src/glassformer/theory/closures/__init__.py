"""Theories that close the equations of the parallel process on a few moments of one sample.

May import everything below `theory`. To add a closure, write a frozen dataclass with ``beta``, ``citations`` and
``solve(model, *, start, steps)`` that returns a labelled Dataset with evidence, and add its row to `_methods.py`.
"""

from glassformer.theory.closures._gaussian import GaussianClosure as GaussianClosure
from glassformer.theory.closures._gram import GramClosure as GramClosure
from glassformer.theory.closures._naive import NaiveMeanField as NaiveMeanField
from glassformer.theory.closures._tap import TAP as TAP
