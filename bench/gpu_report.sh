#!/usr/bin/env bash
# For the owner of an NVIDIA GPU: tests, measures and checks on it, and writes one Markdown page.
#
#   bench/gpu_report.sh [--quick] [OUT.md]                (gpu-report.md)
#   bench/gpu_report.sh --bundle FOLDER [ARCHITECTURE]    (90)
#
# The first builds for the GPU at hand in build-cuda; in an unpacked bundle it runs what is packed. --quick ends
# within 8 minutes after the build: each part has a short limit, and compute-sanitizer checks little. The second
# packs FOLDER/r2pac-gpu-bundle.tar.gz for a machine without a compiler, Debian's packages or a network, all but
# CUDA's own libraries; it needs a toolkit, but no GPU.
#
# Uses the first device of CUDA_VISIBLE_DEVICES, or device 0. PyTorch, and cuBLAS and cuRAND where neither the
# system nor a toolkit has them, are taken from the Python named by R2PAC_PYTHON (python3).
#
# A part that fails or runs out of time does not stop the others. The page is written after each part, so it is
# there however the script ends. Exit status: 1 if a part did not pass, 6 without a GPU, a toolkit or cuBLAS, 130
# if interrupted.
set -uo pipefail
say() { echo "gpu_report: $*"; }
give_up() {
  say "$2" >&2
  exit "$1"
}

quick=0 bundle="" architecture=""
case ${1-} in
  --quick) quick=1 && shift ;;
  --bundle)
    bundle=$(realpath -m "${2:?gpu_report: --bundle needs a folder}")
    architecture=${3:-90}
    ;;
  -*) give_up 2 "usage: gpu_report.sh [--quick] [OUT.md], or gpu_report.sh --bundle FOLDER [ARCHITECTURE]" ;;
esac
out=$(realpath -m "${1:-gpu-report.md}")
cd "$(dirname "$0")/.." || exit 1
packed=0 bin=build-cuda/bin
[ ! -f built.md ] || packed=1 bin=bin

if [ $packed = 0 ]; then
  # shellcheck source=bench/gpu_build.sh
  . bench/gpu_build.sh
  if [ -n "$bundle" ]; then
    require_nvcc
    make_bundle "$bundle" "$architecture"
    exit
  fi
elif [ -n "$bundle" ]; then
  give_up 2 "this is a bundle already"
fi

python=${R2PAC_PYTHON:-python3}
library_path=${LD_LIBRARY_PATH-}
[ $packed = 0 ] || library_path=$PWD/lib${library_path:+:$library_path}
while read -r folder; do
  [ ! -e "$folder/libcublas.so.13" ] && [ ! -e "$folder/libcurand.so.10" ] ||
    library_path+=${library_path:+:}$folder
done <<<"${CUDA_HOME:-${CUDA_PATH:-/usr/local/cuda}}/lib64
/usr/local/cuda/lib64
$("$python" -c 'import glob, nvidia
for path in nvidia.__path__: print(*glob.glob(path + "/*/lib"), sep="\n")' 2>/dev/null)"

# lacking PROGRAM: what it needs and this machine does not have, in one line.
lacking() {
  LD_LIBRARY_PATH=$library_path ldd "$1" 2>&1 | sed -n 's/^[[:space:]]*//; s/\( =>\)\{0,1\} not found.*//p' |
    sort -u | paste -sd ' '
}
# why_not PROGRAM: why it cannot start, in words.
why_not() {
  case $(lacking "$1") in
    '') return 1 ;;
    *libcublas*)
      echo "no cuBLAS 13 (libcublas.so.13) here: install the CUDA toolkit 13, or run \`$python -m pip install" \
        "nvidia-cublas\`, or name the folder that holds it in LD_LIBRARY_PATH" ;;
    *) echo "$(basename "$1") cannot start: this machine lacks $(lacking "$1")" ;;
  esac
}

export CUDA_DEVICE_ORDER=PCI_BUS_ID  # so that nvidia-smi and CUDA count alike
device=${CUDA_VISIBLE_DEVICES:-0}
device=${device%%,*}
gpu() { nvidia-smi -i "$device" --format=csv,noheader --query-gpu="$1"; }
ready=1
if ! command -v nvidia-smi >/dev/null || ! nvidia-smi -i "$device" -L >/dev/null 2>&1; then
  say "there is no NVIDIA GPU here: nvidia-smi does not name device $device" >&2
  ready=0
fi
if [ $packed = 1 ] && words=$(why_not bin/r2pac); then
  say "$words" >&2
  ready=0
fi
[ $ready = 1 ] || exit 6
[ $packed = 1 ] || require_nvcc

folder=$(mktemp -d)
failed=0 running="" command="" begun=0 under_way="its beginning"
limit=3600 stage_end=$((1 << 30))
: >"$folder/summary"
: >"$folder/parts"

write_page() {
  {
    echo "# R2PAC on $(head -n 1 "$folder/gpu")"
    echo
    echo "Written by \`bench/gpu_report.sh\`, $(date -u '+%Y-%m-%d %H:%M') UTC."
    [ -z "$under_way" ] || printf '\n**Not finished**: the script was stopped during %s, or is still at it.\n' "$under_way"
    printf '\n| | |\n|---|---|\n'
    cat "$folder/machine"
    printf '\n| part | result |\n|---|---|\n'
    cat "$folder/summary" "$folder/parts"
  } >"$out.new" && mv "$out.new" "$out"
}

# result NAME WORDS: a line of the summary.
result() {
  echo "| $1 | $2 |" >>"$folder/summary"
  say "$1: $2"
}

# keep NAME COMMAND FENCE: the words of the part that ran, between fences unless they are a table.
keep() {
  printf '\n## %s\n\n    %s\n\n' "$1" "$2"
  [ -z "$3" ] || echo "$3"
  tail -n 200 "$folder/log"
  [ -z "$3" ] || echo "$3"
}

# part NAME COMMAND...: runs it within the stage's limit, and keeps its words and whether it succeeded.
part() {
  local name=$1 status=0 seconds=$limit fence='```'
  shift
  [ $((stage_end - SECONDS)) -ge "$seconds" ] || seconds=$((stage_end - SECONDS))
  if [ "$seconds" -le 0 ]; then
    failed=1
    note "$name" "There was no time left."
    return 1
  fi
  under_way=$name command=$* begun=$SECONDS
  write_page
  say "$name ..."
  # In the background, for a shell that waits hears a signal at once.
  LD_LIBRARY_PATH=$library_path timeout -k 5 "$seconds" "$@" >"$folder/log" 2>&1 &
  running=$!
  wait $running || status=$?
  running=
  [ $status -ne 0 ] || ! grep -q '^|' "$folder/log" || fence=
  keep "$name" "$command" "$fence" >>"$folder/parts"
  if [ $status -eq 0 ]; then
    result "$name" pass
    return 0
  fi
  failed=1
  if [ $((SECONDS - begun)) -ge "$seconds" ]; then
    result "$name" "**out of time** after $seconds s"
  else
    result "$name" "**FAIL**, status $status"
  fi
  return $status
}

# note NAME WORDS: a part that was not run, and why.
note() {
  printf '\n## %s\n\n%s\n' "$1" "$2" >>"$folder/parts"
  result "$1" "not run"
}

# stage SECONDS PERCENT: with --quick, the limit of the parts that follow, and when they must all be over.
total=${R2PAC_REPORT_SECONDS:-480}
stage() {
  [ $quick = 0 ] || limit=$1 stage_end=$((total * $2 / 100))
}

# shellcheck disable=SC2317  # called by the trap
finish() {
  if [ -n "$running" ]; then
    kill "$running" 2>/dev/null
    wait "$running"
    keep "$under_way" "$command" '```' >>"$folder/parts"
    result "$under_way" "**interrupted**"
  fi
  write_page
  rm -rf "$folder"
  say "wrote $out"
}
gpu name >"$folder/gpu"
gpu name,driver_version,compute_cap,memory.total,clocks.max.sm,clocks.max.memory,power.limit |
  awk -F', ' '{ printf "| GPU | %s |\n| driver | %s |\n| compute capability | %s |\n| memory | %s |\n", $1, $2, $3, $4
                printf "| highest clocks, multiprocessors and memory | %s, %s |\n| power limit | %s |\n", $5, $6, $7 }' \
    >"$folder/machine"
{
  echo "| processor | $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1), $(nproc) threads |"
  echo "| system | $(uname -sr) |"
} >>"$folder/machine"
trap finish EXIT
trap 'exit 130' INT TERM HUP

if [ $packed = 1 ]; then
  cat built.md >>"$folder/machine"
else
  capability=$(gpu compute_cap)
  describe_build "$capability" >>"$folder/machine"
  part "configure" cmake --preset cuda -DCMAKE_CUDA_ARCHITECTURES="${capability//./}"
  if ! part "build" cmake --build --preset cuda; then
    note "everything else" "There is nothing to run."
    exit 1
  fi
fi
SECONDS=0

stage 40 45
export R2PAC_BINARY=$PWD/$bin/r2pac
for test in "$bin"/test_cuda_*; do
  # A test that is skipped ends with status 77, a failure here: there is a device.
  if words=$(why_not "$test"); then
    note "$(basename "$test")" "$words"
  else
    part "$(basename "$test")" "$test" --durations yes
  fi
done

stage 60 90
for suite in step action kernels; do
  for precision in fp32 tf32 bf16; do
    part "bench $suite, $precision" "$bin/r2pac" bench "$suite" --device cuda --precision "$precision"
  done
done

if [ $quick = 1 ]; then
  note "PyTorch" "--quick does not compare with it."
elif "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
  for precision in fp32 tf32 bf16; do
    ours=()
    for suite in step action; do
      LD_LIBRARY_PATH=$library_path "$bin/r2pac" bench "$suite" --device cuda --precision "$precision" --json \
        >"$folder/$suite.json" 2>/dev/null && ours+=(--against "$folder/$suite.json")
    done
    for mode in eager compiled; do
      part "PyTorch, $mode, $precision" env LD_LIBRARY_PATH="${LD_LIBRARY_PATH-}" "$python" \
        bench/torch_reference.py --device cuda --precision "$precision" --mode "$mode" "${ours[@]}"
    done
  done
else
  note "PyTorch" "\`$python\` has no PyTorch with CUDA. For the comparison: \`python3 -m venv .torch &&
.torch/bin/pip install torch\`, then \`R2PAC_PYTHON=.torch/bin/python bench/gpu_report.sh\`."
fi

stage 20 97
tools=(memcheck racecheck initcheck synccheck) checked=("$bin"/test_cuda_*)
[ $quick = 0 ] || tools=(memcheck) checked=("$bin/test_cuda_mma" "$bin/test_cuda_reduce")
sanitizer=$(command -v compute-sanitizer || true)
for tool in "${tools[@]}"; do
  if [ -z "$sanitizer" ]; then
    note "compute-sanitizer $tool" "compute-sanitizer, a part of the CUDA toolkit, is not installed."
    continue
  fi
  for test in "${checked[@]}"; do  # our kernels only: the library's are slow to check, and not ours to mend
    part "compute-sanitizer $tool, $(basename "$test")" "$sanitizer" --tool "$tool" --kernel-regex kns=r2pac \
      --error-exitcode 9 "$test"
  done
done
under_way=
exit $failed
