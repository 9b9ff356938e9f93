// What clients of `r2pac serve` send: frames, one after the other, and requests for the page of metrics.
#include <cmath>
#include <vector>

#include "serving/frames.h"
#include "serving/metrics_page.h"
#include "test/fuzz/fuzz.h"

using namespace r2pac;
using namespace r2pac::serving;

namespace {

constexpr std::uint32_t kLargest = 4096;
constexpr std::size_t kObservation = 3, kAction = 2;

/// A request is refused, or has numbers that a policy can take.
void look_at(const ActRequest& request) {
  const auto refusal = refusal_of(request, kObservation, kAction);
  if (refusal) return fuzz::require(!refusal->text.empty() && refusal->text.size() <= kLongestText);
  std::vector<float> observation(kObservation), safe(request.fields.safe_length);
  copy_numbers(request.observation, observation);
  copy_numbers(request.safe_action, safe);
  for (const float value : observation) fuzz::require(std::isfinite(value));
  for (const float value : safe) fuzz::require(std::isfinite(value));
  fuzz::require(request.fields.deadline >= 0 && std::isfinite(request.fields.deadline));
  fuzz::require(request.fields.deadline == 0 || safe.size() == kAction);
  fuzz::require(request.fields.step >= 0 && !std::isinf(request.fields.spent));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::expect(ExitCode::environment, [&] {
    std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
    while (const auto frame = first_frame(bytes, kLargest)) {
      fuzz::require(frame->size() <= bytes.size() && frame->payload.size() <= kLargest);
      if (frame->header.type == Type::act) look_at(parse_act(frame->payload));
      bytes = bytes.subspan(frame->size());
    }
    fuzz::require(bytes.size() < sizeof(Header) + kLargest);  // which a client's memory is limited to
  });
  const std::string answer = http_answer(fuzz::text_of(data, size), [] { return std::string("page"); });
  fuzz::require(answer.empty() || answer.starts_with("HTTP/1.1 "));
  fuzz::require(!answer.empty() || size < 4096);
  return 0;
}
