#!/usr/bin/env bash
# An experiment on a Slurm of one node, which this script starts on the loopback, with a job that is cancelled in the
# middle: check_slurm.sh R2PAC SOURCE_FOLDER. Exits with 77 where that is not possible.
set -euo pipefail
r2pac=$1 source=$2
skip() { echo "skipped: $1"; exit 77; }
[ "$(id -u)" -eq 0 ] || skip "Slurm's daemons need root"
for program in slurmctld slurmd munged sbatch scancel; do
  PATH=$PATH:/usr/sbin command -v $program >/dev/null || skip "no $program; Debian: slurm-wlm munge"
done
[ -x "$source/.experiments/bin/snakemake" ] || skip "no Snakemake; ./setup.sh --experiments"
[ ! -e /etc/slurm/slurm.conf ] || skip "/etc/slurm/slurm.conf is there"
export PATH=$PATH:/usr/sbin

scratch=$(mktemp -d)
pids=()
clean_up() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  rm -f /etc/slurm/slurm.conf
  sleep 0.5
  rm -rf "$scratch"
}
trap clean_up EXIT

name=$(hostname -s)
chmod 755 "$scratch"
mkdir -p "$scratch"/{munge,state,spool} /etc/slurm
chmod 700 "$scratch/munge"
dd if=/dev/urandom of="$scratch/munge/key" bs=128 count=1 status=none
chmod 400 "$scratch/munge/key"
# The plugin takes SLURM_* out of the environment of jobs, so the file must have its usual place.
cat >/etc/slurm/slurm.conf <<END
ClusterName=r2pac
SlurmctldHost=$name(127.0.0.1)
NodeName=$name NodeAddr=127.0.0.1 CPUs=2 RealMemory=8000
PartitionName=all Nodes=$name Default=YES MaxTime=INFINITE State=UP
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$scratch/munge/socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=2
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$scratch/state
SlurmdSpoolDir=$scratch/spool
SlurmctldPidFile=$scratch/slurmctld.pid
SlurmdPidFile=$scratch/slurmd.pid
SlurmctldLogFile=$scratch/slurmctld.log
SlurmdLogFile=$scratch/slurmd.log
END
munged --foreground --force --socket "$scratch/munge/socket" --key-file "$scratch/munge/key" \
  --pid-file "$scratch/munge/pid" --log-file "$scratch/munge/log" --seed-file "$scratch/munge/seed" \
  >"$scratch/munge/out" 2>&1 & pids+=($!)
for _ in $(seq 100); do [ -S "$scratch/munge/socket" ] && break; sleep 0.1; done
slurmctld -D -i >"$scratch/ctld.out" 2>&1 & pids+=($!)
slurmd -D >"$scratch/slurmd.out" 2>&1 & pids+=($!)
for _ in $(seq 100); do sinfo -h -o %t 2>/dev/null | grep -q idle && break; sleep 0.1; done
sinfo -h -o %t | grep -q idle || { cat "$scratch"/*.log "$scratch"/*.out; echo "the node does not come up"; exit 1; }

mkdir "$scratch/data" "$scratch/profile"
"$r2pac" data make reach-avoid -o "$scratch/data/a.hdf5" --episodes 12 >/dev/null
cat >"$scratch/profile/config.yaml" <<END
slurm-init-seconds-before-status-checks: 2
seconds-between-status-checks: 2
END
cat >"$scratch/e.toml" <<END
tasks = [{ name = "A", task = "ReachAvoid", data = "a.hdf5" }]
seeds = [0, 1]
methods = ["cloning"]
score = { episodes = 2 }
settings = { hidden = [16, 16], batch = 32, steps = 150000, checkpoint_every = 1000000, flow_steps = 2 }
END
SNAKEMAKE_PROFILE=$scratch/profile "$r2pac" experiment run "$scratch/e.toml" --data "$scratch/data" -o "$scratch/out" \
  --executor slurm --jobs 2 --peak 50 >"$scratch/run.out" 2>"$scratch/run.err" & run=$!
cancelled=
for _ in $(seq 600); do  # until a training has begun
  log=$({ find "$scratch/out/runs" -name metrics.jsonl 2>/dev/null || true; } | head -n 1)
  [ -n "$log" ] && { sleep 1; cancelled=$(squeue -h -o %i -t running | head -n 1); break; }
  kill -0 "$run" 2>/dev/null || break
  sleep 0.1
done
[ -n "$cancelled" ] || { cat "$scratch/run.err" "$scratch"/out/*/snakemake.log; echo "no job ran"; exit 1; }
scancel "$cancelled"
status=0
wait "$run" || status=$?
fail() { cat "$scratch/run.err" "$scratch"/out/*/snakemake.log; echo "$1"; exit 1; }
[ "$status" -eq 0 ] || fail "the experiment ended with $status"
grep -q '"stopped"' "$scratch"/out/runs/*/*/*/*/manifest.json || fail "no training says that it was stopped"
grep -q '4 of 4 jobs done' "$scratch/run.err" || fail "not all jobs were done"
grep -q '^| A | ' "$scratch/run.out" || fail "there is no table"
