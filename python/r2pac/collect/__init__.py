"""Data sets from the simulators, made by scripted drivers: `python -m r2pac.collect` (docs/interop.md).

moods       cautious, mediocre and reckless: what a driver may feel, and when it changes its mind
hands       what comes between the action that a driver means and the one that it takes
running     drivers of the Run tasks
circling    drivers of the Circle tasks
goals       drivers of the Goal tasks
tasks       the tasks that there are drivers for
episodes    candidates, driven in several processes
selection   which candidates are kept
files       the DSRL layout
"""
