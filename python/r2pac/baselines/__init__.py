"""Published methods that run beside the program, by their own code, in an environment of their own.

cdt         Constrained Decision Transformer: trains by osrl-lib (docs/methods.md)
cdt_policy  its network, its files, and how it acts for `r2pac.score`
cdt_tasks   its published values of each task, and its sizes
"""
