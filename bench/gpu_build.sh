# Building for a GPU and packing the result; used by gpu_report.sh, in the repository's root.
# shellcheck shell=bash

# require_nvcc: puts nvcc on the path, or ends the script.
require_nvcc() {
  command -v nvcc >/dev/null || PATH=$PATH:${CUDA_HOME:-${CUDA_PATH:-/usr/local/cuda}}/bin
  command -v nvcc >/dev/null ||
    give_up 6 "no nvcc: install the CUDA toolkit 13.0 or later, or point CUDA_HOME to it"
}

# describe_build ARCHITECTURE: what build-cuda holds, as rows of a table.
describe_build() {
  echo "| commit | $(git rev-parse --short HEAD 2>/dev/null || echo unknown)$(git diff --quiet HEAD 2>/dev/null ||
    echo ', changed') |"
  echo "| toolkit | $(nvcc --version | sed -n 's/.*release.*, V//p') |"
  echo "| compiler | $("${CXX:-c++}" --version | head -n 1) |"
  echo "| built for | compute capability $1 |"
}

# The libraries that PROGRAM... need, without the C library's, which belong to the system, and NVIDIA's.
libraries_of() {
  ldd "$@" | awk '$3 ~ /^\// && $1 !~ /^lib(c|m|mvec|pthread|dl|rt|resolv|cuda|cublas|cublasLt|curand)\.so/ {
    print $3 }' | sort -u
}

# make_bundle FOLDER ARCHITECTURE: FOLDER/r2pac-gpu-bundle, and the same as .tar.gz
make_bundle() (
  set -e
  name=r2pac-gpu-bundle
  cmake --preset cuda -DCMAKE_CUDA_ARCHITECTURES="$2"
  cmake --build --preset cuda
  rm -rf "${1:?}/$name"
  mkdir -p "$1/$name/bin" "$1/$name/lib" "$1/$name/bench"
  programs=(build-cuda/bin/r2pac build-cuda/bin/test_cuda_*)
  for file in "${programs[@]}"; do strip -o "$1/$name/bin/$(basename "$file")" "$file"; done
  for file in $(libraries_of "${programs[@]}"); do strip -o "$1/$name/lib/$(basename "$file")" "$file"; done
  # Where this machine has its libraries says nothing about another one.
  printf 'file(RPATH_REMOVE FILE "%s")\n' "$1/$name"/bin/* >"$1/$name/remove.cmake"
  cmake -P "$1/$name/remove.cmake" >/dev/null
  rm "$1/$name/remove.cmake"
  cp bench/gpu_report.sh bench/torch_reference.py bench/reference.py "$1/$name/bench"
  describe_build "$2" >"$1/$name/built.md"
  tar -C "$1" --owner=0 --group=0 -czf "$1/$name.tar.gz" "$name"
  say "packed $1/$name.tar.gz, $(du -h "$1/$name.tar.gz" | cut -f 1). On the machine with the GPU:" \
    "tar xzf $name.tar.gz && $name/bench/gpu_report.sh --quick"
)
