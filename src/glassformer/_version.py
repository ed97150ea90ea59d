"""The version, in one place."""

__version__ = "0.1.0"

# Raised whenever the same configuration gives different numbers; part of the identity of a run.
NUMERICAL_VERSION = 1
