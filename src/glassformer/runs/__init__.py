"""General runs on the user's own arrays: typed configuration in, Dataset out; one file per run or pair of runs.

May import everything below `runs`, but not `plotting`. To add a run, write a configuration and a `RunSpec`, and give it
one line in `sweeps/_registry.py`.
"""
