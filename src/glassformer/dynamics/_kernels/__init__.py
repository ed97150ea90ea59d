"""Compiled loops of the dynamics; the only place beside `_core/_philox.py` that imports Numba.

Kernels assume clean input: the nouns in the folder above check it. To add one, write the obvious loop in
`tests/naive.py` first, release the interpreter lock, and address every random draw.
"""
