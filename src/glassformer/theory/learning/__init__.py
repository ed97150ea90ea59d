"""How well a student knows its teacher after so many windows: learning curves of estimators of couplings, without sampling.

May import everything below `theory`, and `theory/exact`. To add an estimator, write its error as a function of the number of
windows and give it a line in `_learning_curve.py`, where estimators are known by name.
"""

from glassformer.theory.learning._descent import GradientFlow as GradientFlow
from glassformer.theory.learning._learning_curve import LearningCurve as LearningCurve
from glassformer.theory.learning._logistic import separability_threshold as separability_threshold
