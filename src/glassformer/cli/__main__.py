"""``python -m glassformer.cli``: the command line without an installed script."""

from __future__ import annotations

from glassformer.cli import main

if __name__ == "__main__":  # worker processes import this module again
    main()
