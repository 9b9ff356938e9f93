#!/usr/bin/env bash
# Sets up, builds, and runs the main job on the built-in robot: makes data, trains R2PAC and behaviour
# cloning, evaluates both, prints a table and draws a picture. Options go to `r2pac demo`.
set -euo pipefail
cd "$(dirname "$0")"
case "${1-}" in -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' demo.sh; exit 0 ;; esac
./setup.sh
exec build/bin/r2pac demo "$@"
