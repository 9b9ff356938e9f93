"""What bench/torch_reference.py and bench/jax_reference.py share: the sizes of the work, how it is timed, and how
bench/rivals.py asks for it. Needs only the standard library.

Served (--serve), a program says {"name": TEXT} and then answers each line of its input by a line, both JSON:

  {"work": "joint step", "trials": 3, "seconds": 60}
  {"trials": [[MILLISECONDS, PREEMPTED], ...], "processors": USED, "first_run": SECONDS}
  {"refused": WHY}                                                                            if it cannot do the work

The first request for a work makes it; "first_run" are the seconds until its first run had ended, as compilation is
part of that. A program ends with its input.
"""

import json
import os
import resource
import signal
import sys
import time

OBSERVATION, CHUNK, LABEL = 72, 10, 32
STEPS = {"joint step": (1024, 512), "joint step, small": (256, 256)}  # batch, width of the four hidden layers
ACTIONS = {"action": 1, "action, 8 observations": 8}  # observations at once, networks of the first of these widths
FLOW_STEPS, CANDIDATES, GUIDANCE = 32, 16, 2.0
EXPECTILE, DISCOUNT, LIMIT_RANK, POLYAK, RATE = 0.9, 0.99**5, 0.9, 0.005, 3e-4
LABEL_DROPOUT, UNSAFE_TARGET, BOUND = 0.1, -100.0, 100.0  # of no label; of a chunk that leaves the region; of values
ROWS = 20000  # of the data that batches are drawn from


def preemptions():
    """Times that the system took a processor away from this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def take_trials(work, trials, seconds):
    """By the rule of `r2pac bench` (bench/measure.cpp): one run to warm up, then `trials` undisturbed ones and half a
    second, but at most four times as many, and none after `seconds`."""
    work()
    taken, undisturbed, spent = [], 0, 0.0
    used, begun = time.process_time(), time.perf_counter()
    while len(taken) < 4 * trials and (undisturbed < trials or spent < 0.5) and spent <= seconds:
        before, start = preemptions(), time.perf_counter()
        work()
        took = time.perf_counter() - start
        preempted = preemptions() != before
        taken.append([1e3 * took, preempted])
        undisturbed += not preempted
        spent += took
    return {"trials": taken, "processors": (time.process_time() - used) / (time.perf_counter() - begun)}


def serve(name, make):
    """make(WORK) returns a function that does the work once and returns at its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks is interrupted, and ends this input
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer

    def say(answer):
        print(json.dumps(answer), file=answers, flush=True)

    say({"name": name})
    known, work, first_run = None, None, 0.0
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["work"] != known:
                known = work = None  # its memory is free before the next is made
                begun = time.perf_counter()
                work = make(request["work"])
                work()
                first_run = time.perf_counter() - begun
                known = request["work"]
                work()
            say(take_trials(work, request["trials"], request["seconds"]) | {"first_run": first_run})
        except Exception as error:  # whatever a library throws is the reason why it has no time
            say({"refused": f"{type(error).__name__}: {error}".splitlines()[0]})
