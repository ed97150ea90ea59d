"""Compiled loops of the couplings that are never written out as matrices. May import `_core` only."""
