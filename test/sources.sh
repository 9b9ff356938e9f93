#!/bin/sh
# Prints the names of all sources in C++ and CUDA, from the folder of the repository.
cd "$(dirname "$0")/.." || exit 1
find . -mindepth 2 \( -path './build*' -o -path './.*' \) -prune -o \
  \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \) -print | sed 's|^\./||'
