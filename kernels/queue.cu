#include <algorithm>
#include <cstdlib>

#include "cuda/cuda.cuh"
#include "kernels/queue.cuh"

namespace r2pac::cuda {
namespace {

constexpr int kLanes = 8;
#ifdef R2PAC_CUDA_HOST
constexpr std::size_t kWorkspaceBytes = 256;
#else
constexpr std::size_t kWorkspaceBytes = std::size_t{16} << 20;  // cuBLAS recommends 4 to 32 MiB
#endif

cublasComputeType_t compute_type(Precision precision) {
  switch (precision) {
    case Precision::tf32:
      return CUBLAS_COMPUTE_32F_FAST_TF32;
    case Precision::bf16:
      return CUBLAS_COMPUTE_32F_FAST_16BF;
    default:
      return CUBLAS_COMPUTE_32F_PEDANTIC;
  }
}

bool intersects(const std::vector<const void*>& a, const std::vector<const void*>& b) {
  return std::any_of(a.begin(), a.end(),
                     [&](const void* x) { return std::find(b.begin(), b.end(), x) != b.end(); });
}

}  // namespace

Lane::Lane() : workspace_(kWorkspaceBytes) {
  R2_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  R2_CUBLAS(cublasCreate(&blas_));
  R2_CUBLAS(cublasSetStream(blas_, stream_));
  R2_CUBLAS(cublasSetWorkspace(blas_, workspace_.data(), kWorkspaceBytes));
}

Lane::~Lane() {
  if (blas_ != nullptr) cublasDestroy(blas_);
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

Graph::~Graph() {
  if (executable_ == nullptr) return;
  cudaStreamSynchronize(stream_);
  cudaGraphExecDestroy(executable_);
}

void Graph::run() const { R2_CUDA(cudaGraphLaunch(executable_, stream_)); }

void Queue::Work::add(const Work& other) {
  reads.insert(reads.end(), other.reads.begin(), other.reads.end());
  writes.insert(writes.end(), other.writes.begin(), other.writes.end());
  after_all |= other.after_all;
}

Queue::Queue(Precision precision) : precision_(precision), lanes_(kLanes), tails_(kLanes, -1) {}

Queue::~Queue() {
  for (const cudaEvent_t event : events_) cudaEventDestroy(event);
}

cudaEvent_t Queue::next_event() {
  if (nodes_.size() == events_.size()) {
    cudaEvent_t event;
    R2_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    events_.push_back(event);
  }
  return events_[nodes_.size()];
}

Graph Queue::capture(const std::function<void()>& calls) {
  nodes_.clear();
  uses_.clear();
  row_operations_.clear();
  sums_.clear();
  call_ = row_work_ = sum_work_ = {};
  std::fill(tails_.begin(), tails_.end(), -1);
  barrier_ = -1;
  size_ = {};
  R2_CUDA(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal));
  cudaGraph_t graph = nullptr;
  try {
    calls();
    flush_rows();
    flush_sums();
    for (int lane = 1; lane < kLanes; ++lane)
      if (const int tail = tails_[static_cast<std::size_t>(lane)]; tail >= 0)
        R2_CUDA(cudaStreamWaitEvent(stream(), nodes_[static_cast<std::size_t>(tail)].done, 0));
  } catch (...) {
    cudaStreamEndCapture(stream(), &graph);
    if (graph != nullptr) cudaGraphDestroy(graph);
    cudaGetLastError();
    throw;
  }
  R2_CUDA(cudaStreamEndCapture(stream(), &graph));
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check(status, "cudaGraphInstantiate", __FILE__, __LINE__);
  return {executable, stream(), size_};
}

void Queue::begin_call(const std::vector<const void*>& reads, const std::vector<const void*>& writes,
                       bool after_all) {
  call_ = {reads, writes, after_all};
  if (after_all) flush_rows();
  if (after_all || intersects(reads, sum_work_.writes) || intersects(writes, sum_work_.writes) ||
      intersects(writes, sum_work_.reads)) {
    flush_rows();  // they may hold what the sums read
    flush_sums();
  }
}

void Queue::add(const RowOperation<float>& operation, int rows) {
  if (!row_operations_.empty() &&
      (rows != rows_ || row_operations_.size() == kRowOperations || !suits_rows(call_)))
    flush_rows();
  rows_ = rows;
  row_operations_.push_back(operation);
  row_work_.add(call_);
}

void Queue::add(const ColumnSum& sum) {
  if (sums_.size() == kColumnSums) flush_sums();
  sums_.push_back(sum);
  sum_work_.add(call_);
}

void Queue::launch(int launches, const std::function<void(const Lane&)>& work) {
  flush_rows();
  submit(call_, launches, work);
}

/// Whether the call's row operation may join those held back: a shared launch begins when the last of them
/// can.
bool Queue::suits_rows(const Work& work) const {
  constexpr int kPatience = 2;  // launches that one may wait for the other
  if (intersects(work.reads, row_work_.writes) || intersects(work.writes, row_work_.writes) ||
      intersects(work.writes, row_work_.reads))
    return true;
  const int own = ready(work);
  return own == 0 || std::abs(own - ready(row_work_)) <= kPatience;
}

int Queue::ready(const Work& work) const {
  int depth = 0;
  for (const int node : dependencies(work))
    depth = std::max(depth, nodes_[static_cast<std::size_t>(node)].depth);
  return depth;
}

void Queue::flush_rows() {
  if (row_operations_.empty()) return;
  const std::vector<RowOperation<float>> operations = std::exchange(row_operations_, {});
  submit(std::exchange(row_work_, {}), 1,
         [&](const Lane& lane) { run_rows(operations, rows_, lane.stream()); });
}

void Queue::flush_sums() {
  if (sums_.empty()) return;
  flush_rows();
  const std::vector<ColumnSum> sums = std::exchange(sums_, {});
  submit(std::exchange(sum_work_, {}), 1, [&](const Lane& lane) { column_sums(sums, lane.stream()); });
}

std::vector<int> Queue::dependencies(const Work& work) const {
  std::vector<int> found;
  if (work.after_all)
    for (const int tail : tails_) found.push_back(tail);
  found.push_back(barrier_);
  const auto use = [&](const void* place, bool writes) {
    const auto at = uses_.find(place);
    if (at == uses_.end()) return;
    found.push_back(at->second.writer);
    if (writes) found.insert(found.end(), at->second.readers.begin(), at->second.readers.end());
  };
  for (const void* place : work.reads) use(place, false);
  for (const void* place : work.writes) use(place, true);
  std::sort(found.begin(), found.end(), std::greater<>());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  if (!found.empty() && found.back() < 0) found.pop_back();
  return found;
}

/// The lane whose last work is the latest that must be waited for; else the one that is done first.
int Queue::lane_for(const std::vector<int>& dependencies) const {
  for (const int node : dependencies) {
    const int lane = nodes_[static_cast<std::size_t>(node)].lane;
    if (tails_[static_cast<std::size_t>(lane)] == node) return lane;
  }
  const auto depth = [&](int tail) { return tail < 0 ? 0 : nodes_[static_cast<std::size_t>(tail)].depth; };
  return static_cast<int>(
      std::min_element(tails_.begin(), tails_.end(), [&](int a, int b) { return depth(a) < depth(b); }) -
      tails_.begin());
}

void Queue::submit(const Work& work, int launches, const std::function<void(const Lane&)>& run) {
  const std::vector<int> before = dependencies(work);
  // The first node begins on the stream that is captured, for the other streams must follow one of its own.
  const int index = nodes_.empty() ? 0 : lane_for(before);
  const Lane& lane = lanes_[static_cast<std::size_t>(index)];
  const int tail = tails_[static_cast<std::size_t>(index)];
  bool follows = tail >= 0 || index == 0;
  int depth = tail >= 0 ? nodes_[static_cast<std::size_t>(tail)].depth : 0;
  for (const int node : before) {
    const Node& earlier = nodes_[static_cast<std::size_t>(node)];
    depth = std::max(depth, earlier.depth);
    if (earlier.lane == index) continue;
    R2_CUDA(cudaStreamWaitEvent(lane.stream(), earlier.done, 0));
    follows = true;
  }
  if (!follows) R2_CUDA(cudaStreamWaitEvent(lane.stream(), nodes_.front().done, 0));
  run(lane);
  depth += launches;
  size_.launches += launches;
  size_.critical_path = std::max(size_.critical_path, depth);
  const cudaEvent_t done = next_event();
  R2_CUDA(cudaEventRecord(done, lane.stream()));
  const int number = static_cast<int>(nodes_.size());
  nodes_.push_back({index, done, depth});
  tails_[static_cast<std::size_t>(index)] = number;
  if (work.after_all) barrier_ = number;
  for (const void* place : work.reads) uses_[place].readers.push_back(number);
  for (const void* place : work.writes) uses_[place] = {number, {}};
}

/// In cuBLAS's column-major order the matrices are their transposes, so that c' = b' a'.
void Queue::multiply(const Matrix& a, const Matrix& b, int rows, int depth, int cols, float* c,
                     std::size_t c_batch_stride, int batch, bool accumulate, bool in_fp32) {
  launch(1, [&](const Lane& lane) {
    const float one = 1.0f, beta = accumulate ? 1.0f : 0.0f;
    const auto stride = [](std::size_t values) { return static_cast<long long>(values); };
    R2_CUBLAS(cublasGemmStridedBatchedEx(
        lane.blas(), b.transposed ? CUBLAS_OP_T : CUBLAS_OP_N, a.transposed ? CUBLAS_OP_T : CUBLAS_OP_N, cols,
        rows, depth, &one, b.data, CUDA_R_32F, b.stride, stride(b.batch_stride), a.data, CUDA_R_32F, a.stride,
        stride(a.batch_stride), &beta, c, CUDA_R_32F, cols, stride(c_batch_stride), batch,
        compute_type(in_fp32 ? Precision::fp32 : precision_), CUBLAS_GEMM_DEFAULT));
  });
}

}  // namespace r2pac::cuda
