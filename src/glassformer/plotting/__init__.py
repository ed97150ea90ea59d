"""Dataset in, matplotlib figure out.

May import everything below `runs`; never computes physics. To add a figure, write a function that takes the Dataset of
a run and returns a Figure, and name it as "module:function" in the run's specification.
"""
