#include "serving/frames.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "base/error.h"

namespace r2pac::serving {
namespace {

constexpr std::size_t kLeastRoom = 64u << 10;  // bytes

[[noreturn]] void broken(const std::string& what) {
  throw Error(ExitCode::environment, what, "", "docs/serving.md describes the frames");
}

template <class Fields>
Fields fields_of(std::span<const std::byte> bytes) {
  static_assert(std::is_trivially_copyable_v<Fields>);
  Fields fields;
  std::memcpy(&fields, bytes.data(), sizeof fields);
  return fields;
}

template <class Fields>
void append(Bytes& to, const Fields& fields) {
  const auto bytes = std::as_bytes(std::span(&fields, 1));
  to.insert(to.end(), bytes.begin(), bytes.end());
}

void append_header(Bytes& to, Type type, std::uint32_t number, std::size_t length) {
  Header header;
  header.type = type;
  header.length = static_cast<std::uint32_t>(length);
  header.number = number;
  append(to, header);
}

bool all_finite(std::span<const std::byte> numbers) {
  for (std::size_t at = 0; at < numbers.size(); at += sizeof(float))
    if (!std::isfinite(fields_of<float>(numbers.subspan(at)))) return false;
  return true;
}

}  // namespace

std::uint32_t largest_payload(std::size_t observation_length, std::size_t action_length) {
  return static_cast<std::uint32_t>(
      std::max(kLeastRoom, sizeof(ActFields) + 2 * sizeof(float) * (observation_length + action_length)));
}

std::size_t largest_answer(std::size_t action_length) {
  return sizeof(Header) + std::max({sizeof(AnswerFields) + sizeof(float) * action_length, sizeof(FactsFields),
                                    sizeof(ReasonFields) + kLongestText});
}

std::optional<Frame> first_frame(std::span<const std::byte> bytes, std::uint32_t largest) {
  // Garbage is told from the first bytes on, not only when a header's worth of it is there.
  const std::size_t known = std::min(bytes.size(), sizeof kMagic);
  if (!std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(known),
                  std::as_bytes(std::span(&kMagic, 1)).begin()))
    broken("what arrived does not begin as a frame");
  if (bytes.size() < sizeof(Header)) return std::nullopt;
  const auto header = fields_of<Header>(bytes);
  if (header.version != kVersion)
    broken("the frame is of version " + std::to_string(header.version) + ", the server's is " +
           std::to_string(kVersion));
  if (header.type != Type::info && header.type != Type::act)
    broken("a client sends no frame of type " + std::to_string(static_cast<int>(header.type)));
  if (header.length > largest)
    broken("the frame has " + std::to_string(header.length) + " bytes of payload, the most are " +
           std::to_string(largest));
  if (header.type == Type::info && header.length != 0) broken("a frame of type info has no payload");
  if (bytes.size() - sizeof(Header) < header.length) return std::nullopt;
  return Frame{header, bytes.subspan(sizeof(Header), header.length)};
}

ActRequest parse_act(std::span<const std::byte> payload) {
  if (payload.size() < sizeof(ActFields)) broken("a frame of type act is too short");
  ActRequest request{fields_of<ActFields>(payload), {}, {}};
  const std::span<const std::byte> numbers = payload.subspan(sizeof(ActFields));
  const std::uint64_t observation = std::uint64_t{request.fields.observation_length} * sizeof(float),
                      safe = std::uint64_t{request.fields.safe_length} * sizeof(float);
  if (numbers.size() != observation + safe)
    broken("a frame of type act has not the length that its numbers need");
  request.observation = numbers.first(observation);
  request.safe_action = numbers.subspan(observation);
  return request;
}

void copy_numbers(std::span<const std::byte> numbers, std::span<float> to) {
  if (!to.empty()) std::memcpy(to.data(), numbers.data(), to.size_bytes());
}

std::optional<Refusal> refusal_of(const ActRequest& request, std::size_t observation_length,
                                  std::size_t action_length) {
  const ActFields& fields = request.fields;
  if (fields.observation_length != observation_length)
    return Refusal{Code::observation, "the observation has another length than the policy's"};
  if (!all_finite(request.observation))
    return Refusal{Code::observation, "the observation holds a number that is not finite"};
  if (fields.step < 0) return Refusal{Code::usage, "the step is below 0"};
  if (std::isinf(fields.spent))
    return Refusal{Code::usage, "the cost spent is infinite; it is NaN where nobody counts it"};
  if (!(fields.deadline >= 0 && std::isfinite(fields.deadline)))
    return Refusal{Code::usage, "the deadline is no number of seconds; it is 0 where there is none"};
  if (fields.judged > 1) return Refusal{Code::usage, "`judged` is neither 0 nor 1"};
  if (fields.safe_length != action_length && (fields.safe_length != 0 || fields.deadline > 0))
    return Refusal{Code::usage, fields.safe_length == 0 ? "a deadline needs a safe action"
                                                        : "the safe action has another length than actions"};
  if (!all_finite(request.safe_action))
    return Refusal{Code::usage, "the safe action holds a number that is not finite"};
  return std::nullopt;
}

void append_facts(Bytes& to, std::uint32_t number, const FactsFields& facts) {
  append_header(to, Type::facts, number, sizeof facts);
  append(to, facts);
}

void append_answer(Bytes& to, std::uint32_t number, AnswerFields fields, std::span<const float> action) {
  fields.action_length = static_cast<std::uint32_t>(action.size());
  append_header(to, Type::answer, number, sizeof fields + action.size_bytes());
  append(to, fields);
  const auto numbers = std::as_bytes(action);
  to.insert(to.end(), numbers.begin(), numbers.end());
}

void append_reason(Bytes& to, Type type, std::uint32_t number, Code code, std::string_view text) {
  text = text.substr(0, kLongestText);
  append_header(to, type, number, sizeof(ReasonFields) + text.size());
  append(to, ReasonFields{code, static_cast<std::uint32_t>(text.size())});
  const auto bytes = std::as_bytes(std::span(text));
  to.insert(to.end(), bytes.begin(), bytes.end());
}

}  // namespace r2pac::serving
