#!/usr/bin/env bash
# A long run in little time: ./test/soak.sh R2PAC [STEPS [EPISODES]]
# Trains STEPS tiny steps (100000) with a checkpoint every 500, and scores EPISODES episodes (2000), some in a child
# program if python3 has NumPy. Descriptors, threads and memory of the process must stay level: between the first and
# the last quarter of the looks, none may grow by more than 2 descriptors, 0 threads or 8 MiB.
set -euo pipefail
r2pac=$(realpath "$1") steps=${2:-100000} episodes=${3:-2000}
repository=$(realpath "$(dirname "$0")/..")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# watch NAME COMMAND...: runs the command, looks at it up to twenty times a second, and judges what was seen.
watch() {
  local name=$1 looks=$folder/$1.looks
  shift
  "$@" >"$folder/$name.out" 2>&1 &
  local process=$!
  while [ -d "/proc/$process/fd" ] && kill -0 "$process" 2>/dev/null; do
    echo "$(ls "/proc/$process/fd" 2>/dev/null | wc -l)" \
      "$(awk '/^Threads/ {t = $2} /^VmRSS/ {m = $2} END {print t + 0, m + 0}' "/proc/$process/status" 2>/dev/null || true)"
    sleep 0.05
  done >"$looks"
  wait "$process" || { cat "$folder/$name.out"; echo "soak: $name failed" >&2; return 1; }
  awk -v name="$name" '
    NF == 3 && $2 > 0 && $3 > 0 { n++; for (i = 1; i <= 3; i++) seen[n, i] = $i }
    END {
      if (n < 8) { print "soak: " name ": only " n " looks, make it longer"; exit 1 }
      q = int(n / 4)
      for (i = 1; i <= 3; i++) {
        early[i] = late[i] = 0
        for (k = q; k < 2 * q; k++) if (seen[k, i] > early[i]) early[i] = seen[k, i]
        for (k = n - q; k < n; k++) if (seen[k, i] > late[i]) late[i] = seen[k, i]
      }
      printf "soak: %s: %d looks, descriptors %d -> %d, threads %d -> %d, memory %d -> %d KiB\n",
             name, n, early[1], late[1], early[2], late[2], early[3], late[3]
      exit !(late[1] <= early[1] + 2 && late[2] <= early[2] && late[3] <= early[3] + 8192)
    }' "$looks"
}

"$r2pac" data make reach-avoid -o "$folder/data.hdf5" --episodes 30 >/dev/null
watch training "$r2pac" train --data "$folder/data.hdf5" --out "$folder/run" --hidden 8,8 --batch 16 \
  --schedule joint --steps "$steps" --set checkpoint_every=500 --set log_every=100 --set flow_steps=2 \
  --set num_candidates=2 --threads 2 --eval-env reach-avoid --eval-every $((steps / 20)) --eval-episodes 2
watch scoring "$r2pac" eval "$folder/run" --env reach-avoid --episodes "$episodes" --threads 2 -o "$folder/a.json"
if python3 -c 'import numpy' 2>/dev/null; then
  cat >"$folder/robot.py" <<'END'
import numpy as np
class Box:
    low, high, dtype = np.full(0, -1.0), np.full(0, 1.0), np.float32
    def __init__(self, n): self.shape, self.low, self.high = (n,), np.full(n, -1, np.float32), np.full(n, 1, np.float32)
class Robot:
    observation_space, action_space = Box(7), Box(2)
    def reset(self, seed=None): self.n = 0; return np.zeros(7, np.float32), {}
    def step(self, action):
        self.n += 1
        return np.full(7, self.n / 50, np.float32), float(action[0]), False, self.n >= 50, {"cost": float(self.n % 2)}
    def close(self): pass
END
  PYTHONPATH=$repository/python:$folder watch simulator "$r2pac" eval "$folder/run" \
    --env "cmd:exec python3 -m r2pac.env_server --module robot:Robot --episode-steps 50" \
    --episodes "$episodes" --env-processes 2 --threads 2 -o "$folder/b.json"
else
  echo "soak: no NumPy, so no simulator"
fi
