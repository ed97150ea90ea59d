"""One file per source (a folder where it has many figures): its figures as configurations, with the numbers that must come out.

May import everything below `papers`. To add a paper, write a file of run specifications, name them in
`sweeps/_registry.py`, and write a page in `docs/papers/` that says what differs from the publication.
"""
