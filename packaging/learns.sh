#!/bin/sh
# A program of ours works: packaging/learns.sh PROGRAM... trains on data of its own in the current folder for some steps, leaves
# the run there, and scores it. It prints the program's version.
set -eu
rm -rf data.hdf5 run
"$@" data make reach-avoid -o data.hdf5 --episodes 30 --seed 3 >/dev/null
"$@" train --data data.hdf5 --task reach-avoid --preset tiny --quiet --out run >/dev/null
"$@" eval run --env reach-avoid --episodes 2 >/dev/null
"$@" --version
