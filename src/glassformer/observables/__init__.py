"""What is measured on the way: streaming accumulators, autocorrelation, overlaps, energies, entropy production.

May import `_core`, `couplings` and `models`, never `dynamics`. To add an observable, write a function of plain arrays
(axes in the order replica, time, site, component) that raises on NaN, check it against a naive loop, export it here.
"""

from glassformer.observables._context import ContextMeasure as ContextMeasure
from glassformer.observables._energy import MultiHistogram as MultiHistogram
from glassformer.observables._energy import alignment_variance as alignment_variance
from glassformer.observables._energy import multi_histogram as multi_histogram
from glassformer.observables._energy import reweight as reweight
from glassformer.observables._energy import specific_heat as specific_heat
from glassformer.observables._entropy_production import circulation as circulation
from glassformer.observables._entropy_production import entropy_production as entropy_production
from glassformer.observables._entropy_production import log_transition_density as log_transition_density
from glassformer.observables._entropy_production import pair_entropy_production as pair_entropy_production
from glassformer.observables._entropy_production import path_boundary as path_boundary
from glassformer.observables._entropy_production import path_entropy_production as path_entropy_production
from glassformer.observables._entropy_production import plefka_entropy_production as plefka_entropy_production
from glassformer.observables._entropy_production import site_entropy_production as site_entropy_production
from glassformer.observables._measure import Measure as Measure
from glassformer.observables._model_error import ModelError as ModelError
from glassformer.observables._model_error import model_error as model_error
from glassformer.observables._overlaps import aligned_overlaps as aligned_overlaps
from glassformer.observables._overlaps import aligning_rotation as aligning_rotation
from glassformer.observables._overlaps import binder_ratio as binder_ratio
from glassformer.observables._overlaps import clustering_order as clustering_order
from glassformer.observables._overlaps import invariant_overlaps as invariant_overlaps
from glassformer.observables._overlaps import off_diagonal as off_diagonal
from glassformer.observables._overlaps import overlap_tensors as overlap_tensors
from glassformer.observables._overlaps import raw_overlaps as raw_overlaps
from glassformer.observables._overlaps import spin_glass_susceptibility as spin_glass_susceptibility
from glassformer.observables._overlaps import squared_overlaps as squared_overlaps
from glassformer.observables._relaxation import LaggedCorrelation as LaggedCorrelation
from glassformer.observables._relaxation import Modes as Modes
from glassformer.observables._relaxation import lagged_correlation as lagged_correlation
from glassformer.observables._relaxation import relaxation_modes as relaxation_modes
from glassformer.observables._relaxation import spin_autocorrelation as spin_autocorrelation
from glassformer.observables._replica_statistics import EquilibrationTest as EquilibrationTest
from glassformer.observables._replica_statistics import Verdict as Verdict
from glassformer.observables._replica_statistics import classify as classify
from glassformer.observables._replica_statistics import equilibration_test as equilibration_test
from glassformer.observables._replica_statistics import equilibrium_identity as equilibrium_identity
from glassformer.observables._replica_statistics import lagged_overlaps as lagged_overlaps
from glassformer.observables._replica_statistics import mean_pair_overlaps as mean_pair_overlaps
from glassformer.observables._replica_statistics import overlap_density as overlap_density
from glassformer.observables._replica_statistics import pair_jackknife as pair_jackknife
from glassformer.observables._replica_statistics import susceptibilities as susceptibilities
from glassformer.observables._replica_statistics import ultrametricity as ultrametricity
from glassformer.observables._statistics import AutocorrelationTime as AutocorrelationTime
from glassformer.observables._statistics import ErrorEstimate as ErrorEstimate
from glassformer.observables._statistics import Moments as Moments
from glassformer.observables._statistics import autocorrelation_function as autocorrelation_function
from glassformer.observables._statistics import block_means as block_means
from glassformer.observables._statistics import blocking_error as blocking_error
from glassformer.observables._statistics import effective_sample_size as effective_sample_size
from glassformer.observables._statistics import integrated_autocorrelation_time as integrated_autocorrelation_time
from glassformer.observables._statistics import jackknife as jackknife
from glassformer.observables._statistics import merge_moments as merge_moments
from glassformer.observables._statistics import split_r_hat as split_r_hat
from glassformer.observables._statistics import standard_error as standard_error
