"""Data sets from the simulators, made by scripted drivers: `python -m r2pac.collect` (docs/interop.md).

styles        driving styles (cautious, mediocre, reckless), and when a driver changes its style
action_noise  noise and faults between the action that a driver means and the one that it takes
controllers   velocity controllers of the robots
running       drivers of the Run tasks
circling      drivers of the Circle tasks
hurrying      drivers of the Velocity tasks
legs          controllers of robots that swing their joints
gaits         what `legs` swings
search        the random search for gaits
navigating    drivers of the Goal, Button and Push tasks
tasks         the tasks that there are drivers for
episodes      candidates, driven in several processes
selection     which candidates are kept
files         the DSRL layout
"""
