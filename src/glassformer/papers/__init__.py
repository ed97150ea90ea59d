"""One file per source: its figures as configurations, with the numbers that must come out.

May import everything below `papers`. To add a paper, write one file of run specifications, name them in
`sweeps/_registry.py`, and write a page in `docs/papers/` that says what differs from the publication.
"""
