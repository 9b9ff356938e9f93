#include <algorithm>
#include <cstdlib>

#include "cuda/cuda.cuh"
#include "kernels/streams.cuh"

namespace r2pac::cuda {
namespace {

constexpr int kStreams = 12;  // with 8, chains of overlapping steps wait for each other (docs/performance.md)
#ifdef R2PAC_CUDA_HOST
constexpr std::size_t kWorkspaceBytes = 256;
#else
constexpr std::size_t kWorkspaceBytes = std::size_t{16} << 20;  // unmeasured; cuBLAS recommends 4 to 32 MiB
#endif

bool eager_is_wanted() {
  const char* const given = std::getenv("R2PAC_CUDA_EAGER");
  return given != nullptr && std::string(given) == "1";
}

bool intersects(const std::vector<const void*>& a, const std::vector<const void*>& b) {
  return std::any_of(a.begin(), a.end(),
                     [&](const void* x) { return std::find(b.begin(), b.end(), x) != b.end(); });
}

}  // namespace

Stream::Stream() : workspace_(kWorkspaceBytes) {
  R2_CUDA(cudaGetDevice(&device_));
  R2_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  R2_CUBLAS(cublasCreate(&blas_));
  R2_CUBLAS(cublasSetStream(blas_, stream_));
  R2_CUBLAS(cublasSetWorkspace(blas_, workspace_.data(), kWorkspaceBytes));
}

void Stream::make_current() const { R2_CUDA(cudaSetDevice(device_)); }

Stream::~Stream() {
  cudaSetDevice(device_);
  if (blas_ != nullptr) cublasDestroy(blas_);
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

Graph::~Graph() {
  if (executable_ == nullptr) return;
  cudaStreamSynchronize(stream_->get());
  cudaGraphExecDestroy(executable_);
}

void Graph::run() const {
  stream_->make_current();
  if (eager_) return eager_();
  R2_CUDA(cudaGraphLaunch(executable_, stream_->get()));
}

void Work::add(const Work& other) {
  if (name.empty()) name = other.name;
  reads.insert(reads.end(), other.reads.begin(), other.reads.end());
  writes.insert(writes.end(), other.writes.begin(), other.writes.end());
  after_all |= other.after_all;
}

bool Work::conflicts_with(const Work& earlier) const {
  return intersects(reads, earlier.writes) || intersects(writes, earlier.writes) ||
         intersects(writes, earlier.reads);
}

Streams::Streams() : eager_(eager_is_wanted()), streams_(kStreams), tails_(kStreams, -1) {}

Streams::~Streams() {
  for (const cudaEvent_t event : events_) cudaEventDestroy(event);
}

cudaEvent_t Streams::next_event() {
  if (nodes_.size() == events_.size()) {
    cudaEvent_t event;
    R2_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    events_.push_back(event);
  }
  return events_[nodes_.size()];
}

Graph Streams::capture(const std::function<void()>& calls) {
  if (eager_) return {calls, first()};
  nodes_.clear();
  uses_.clear();
  std::fill(tails_.begin(), tails_.end(), -1);
  barrier_ = -1;
  size_ = {};
  first().make_current();
  R2_CUDA(cudaStreamBeginCapture(first().get(), cudaStreamCaptureModeThreadLocal));
  cudaGraph_t graph = nullptr;
  try {
    calls();
    join();
  } catch (...) {
    cudaStreamEndCapture(first().get(), &graph);
    if (graph != nullptr) cudaGraphDestroy(graph);
    cudaGetLastError();
    throw;
  }
  R2_CUDA(cudaStreamEndCapture(first().get(), &graph));
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check(status, "cudaGraphInstantiate", __FILE__, __LINE__);
  return {executable, first(), size_};
}

/// The first stream waits for the others.
void Streams::join() {
  for (std::size_t other = 1; other < tails_.size(); ++other)
    if (const int tail = tails_[other]; tail >= 0)
      R2_CUDA(cudaStreamWaitEvent(first().get(), nodes_[static_cast<std::size_t>(tail)].done, 0));
}

int Streams::ready(const Work& work) const {
  int depth = 0;
  for (const int node : dependencies(work))
    depth = std::max(depth, nodes_[static_cast<std::size_t>(node)].depth);
  return depth;
}

std::vector<int> Streams::dependencies(const Work& work) const {
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

/// The stream whose last work is the latest that must be waited for; else the one that is done first.
int Streams::stream_for(const std::vector<int>& dependencies) const {
  for (const int node : dependencies) {
    const int stream = nodes_[static_cast<std::size_t>(node)].stream;
    if (tails_[static_cast<std::size_t>(stream)] == node) return stream;
  }
  const auto depth = [&](int tail) { return tail < 0 ? 0 : nodes_[static_cast<std::size_t>(tail)].depth; };
  return static_cast<int>(
      std::min_element(tails_.begin(), tails_.end(), [&](int a, int b) { return depth(a) < depth(b); }) -
      tails_.begin());
}

void Streams::run_eagerly(const Work& work, const std::function<void(const Stream&)>& run) {
  try {
    run(first());
    R2_CUDA(cudaStreamSynchronize(first().get()));
  } catch (const Error& error) {
    throw Error(error.code(), "in `" + work.name + "`: " + error.what(), error.where(), error.todo());
  }
}

void Streams::submit(const Work& work, int launches, const std::function<void(const Stream&)>& run) {
  if (eager_) return run_eagerly(work, run);
  const std::vector<int> before = dependencies(work);
  // The first node begins on the stream that is captured, for the other streams must follow one of its own.
  const int index = nodes_.empty() ? 0 : stream_for(before);
  const Stream& stream = streams_[static_cast<std::size_t>(index)];
  const int tail = tails_[static_cast<std::size_t>(index)];
  bool follows = tail >= 0 || index == 0;
  int depth = tail >= 0 ? nodes_[static_cast<std::size_t>(tail)].depth : 0;
  for (const int node : before) {
    const Node& earlier = nodes_[static_cast<std::size_t>(node)];
    depth = std::max(depth, earlier.depth);
    if (earlier.stream == index) continue;
    R2_CUDA(cudaStreamWaitEvent(stream.get(), earlier.done, 0));
    follows = true;
  }
  if (!follows) R2_CUDA(cudaStreamWaitEvent(stream.get(), nodes_.front().done, 0));
  run(stream);
  depth += launches;
  size_.launches += launches;
  size_.critical_path = std::max(size_.critical_path, depth);
  const cudaEvent_t done = next_event();
  R2_CUDA(cudaEventRecord(done, stream.get()));
  const int number = static_cast<int>(nodes_.size());
  nodes_.push_back({index, done, depth});
  tails_[static_cast<std::size_t>(index)] = number;
  if (work.after_all) barrier_ = number;
  for (const void* place : work.reads) uses_[place].readers.push_back(number);
  for (const void* place : work.writes) uses_[place] = {number, {}};
}

}  // namespace r2pac::cuda
