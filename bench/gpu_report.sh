#!/usr/bin/env bash
# For the owner of an NVIDIA GPU: builds for it, tests, checks and measures, and writes one Markdown page.
#
#   bench/gpu_report.sh [OUT.md]        (gpu-report.md)
#
# Uses the first device of CUDA_VISIBLE_DEVICES, or device 0, and the folder build/cuda. PyTorch is taken from
# the Python named by R2PAC_PYTHON (python3). A part that fails does not stop the others; the exit status is 1
# if any failed, 6 without a GPU or a toolkit.
set -uo pipefail
out=$(realpath -m "${1:-gpu-report.md}")
cd "$(dirname "$0")/.." || exit 1

export CUDA_DEVICE_ORDER=PCI_BUS_ID  # so that nvidia-smi and CUDA count alike
device=${CUDA_VISIBLE_DEVICES:-0}
device=${device%%,*}
if ! command -v nvidia-smi >/dev/null || ! nvidia-smi -i "$device" -L >/dev/null 2>&1; then
  echo "gpu_report: there is no NVIDIA GPU here: nvidia-smi does not name device $device" >&2
  exit 6
fi
nvcc=$(command -v nvcc || echo "${CUDA_HOME:-${CUDA_PATH:-/usr/local/cuda}}/bin/nvcc")
if [ ! -x "$nvcc" ]; then
  echo "gpu_report: no nvcc: install the CUDA toolkit 13.0 or later, or point CUDA_HOME to it" >&2
  exit 6
fi
PATH=$PATH:$(dirname "$nvcc")
python=${R2PAC_PYTHON:-python3}
r2pac=build/cuda/r2pac

folder=$(mktemp -d)
failed=0
: >"$folder/summary"
: >"$folder/parts"

# result NAME WORD: a line of the summary.
result() {
  echo "| $1 | $2 |" >>"$folder/summary"
  echo "gpu_report: $1: $2"
}

# part NAME COMMAND...: runs it, and keeps its words and whether it succeeded. A table stays one.
part() {
  local name=$1 status=0 fence='```'
  shift
  echo "gpu_report: $name ..."
  timeout 3600 "$@" >"$folder/log" 2>&1 || status=$?
  grep -q '^|' "$folder/log" && [ $status -eq 0 ] && fence=
  {
    printf '\n## %s\n\n    %s\n\n' "$name" "$*"
    [ -z "$fence" ] || echo "$fence"
    tail -n 200 "$folder/log"
    [ -z "$fence" ] || echo "$fence"
  } >>"$folder/parts"
  if [ $status -eq 0 ]; then
    result "$name" pass
  else
    result "$name" "**FAIL**, status $status"
    failed=1
  fi
  return $status
}

# note NAME WORDS: a part that was not run, and why.
note() {
  printf '\n## %s\n\n%s\n' "$1" "$2" >>"$folder/parts"
  result "$1" "not run"
}

# shellcheck disable=SC2317  # called by the trap
write_page() {
  {
    echo "# R2PAC on $(nvidia-smi -i "$device" --query-gpu=name --format=csv,noheader)"
    echo
    echo "Written by \`bench/gpu_report.sh\`, $(date -u '+%Y-%m-%d %H:%M') UTC, commit $(git rev-parse --short HEAD \
      2>/dev/null || echo unknown)$(git diff --quiet HEAD 2>/dev/null || echo ', changed')."
    echo
    echo "| | |"
    echo "|---|---|"
    nvidia-smi -i "$device" --format=csv,noheader \
      --query-gpu=name,driver_version,compute_cap,memory.total,clocks.max.sm,clocks.max.memory,power.limit |
      awk -F', ' '{ printf "| GPU | %s |\n| driver | %s |\n| compute capability | %s |\n| memory | %s |\n", $1, $2, $3, $4
                    printf "| highest clocks, multiprocessors and memory | %s, %s |\n| power limit | %s |\n", $5, $6, $7 }'
    echo "| toolkit | $("$nvcc" --version | sed -n 's/.*release.*, V//p') |"
    echo "| compiler | $("${CXX:-c++}" --version | head -n 1) |"
    echo "| processor | $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1), $(nproc) threads |"
    echo "| system | $(uname -sr) |"
    echo
    echo "| part | result |"
    echo "|---|---|"
    cat "$folder/summary" "$folder/parts"
  } >"$out"
  rm -rf "$folder"
  echo "gpu_report: wrote $out"
}
trap write_page EXIT

capability=$(nvidia-smi -i "$device" --query-gpu=compute_cap --format=csv,noheader)
part "configure" cmake --preset cuda -DCMAKE_CUDA_ARCHITECTURES="${capability//./}"
if ! part "build" cmake --build --preset cuda; then
  note "everything else" "There is nothing to run."
  exit 1
fi

# A skipped test is a failure here: there is a device.
# shellcheck disable=SC2016  # the inner shell expands it
part "tests on the device" bash -o pipefail -c \
  'ctest --preset cuda --no-tests=error | tee "$0/tests" && ! grep -q "(Skipped)" "$0/tests"' "$folder"

sanitizer=$(command -v compute-sanitizer || true)
for tool in memcheck racecheck initcheck synccheck; do
  if [ -z "$sanitizer" ]; then
    note "compute-sanitizer $tool" "compute-sanitizer, a part of the CUDA toolkit, is not installed."
    continue
  fi
  for test in build/cuda/bin/test_cuda_*; do
    part "compute-sanitizer $tool, $(basename "$test")" "$sanitizer" --tool "$tool" --error-exitcode 9 "$test"
  done
done

for suite in kernels step action; do
  for precision in fp32 tf32 bf16; do
    part "bench $suite, $precision" "$r2pac" bench "$suite" --device cuda --precision "$precision"
  done
done

if "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
  for precision in fp32 tf32 bf16; do
    ours=()
    for suite in step action; do
      "$r2pac" bench "$suite" --device cuda --precision "$precision" --json >"$folder/$suite.json" 2>/dev/null &&
        ours+=(--against "$folder/$suite.json")
    done
    for mode in eager compiled; do
      part "PyTorch, $mode, $precision" "$python" bench/torch_reference.py --device cuda --precision "$precision" \
        --mode "$mode" "${ours[@]}"
    done
  done
else
  note "PyTorch" "\`$python\` has no PyTorch with CUDA. For the comparison: \`python3 -m venv .torch &&
.torch/bin/pip install torch\`, then \`R2PAC_PYTHON=.torch/bin/python bench/gpu_report.sh\`."
fi
exit $failed
