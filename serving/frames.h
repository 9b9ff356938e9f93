// The frames of `r2pac serve`, as docs/serving.md describes them: read and written, apart from any socket.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace r2pac::serving {

static_assert(std::endian::native == std::endian::little,
              "the protocol is little-endian, and copied as it is");

using Bytes = std::vector<std::byte>;
using Checksum = std::array<char, 32>;  ///< of a policy file, in digits

inline constexpr std::uint32_t kMagic = 0x56533252;  ///< the bytes "R2SV"
inline constexpr std::uint16_t kVersion = 1;
inline constexpr std::size_t kLongestText = 200;  ///< bytes, of a refusal or a failure

enum class Type : std::uint16_t { info = 1, facts = 2, act = 3, answer = 4, refusal = 5, failure = 6 };

/// Why a request is refused, or a connection is ended.
enum class Code : std::uint32_t {
  usage = 2,        ///< a moment, a deadline or a safe action that cannot be
  observation = 3,  ///< of another length, or with a number that is not finite
  diverged = 7,     ///< the policy's answer is not finite
  protocol = 20,    ///< what arrived is no frame; this and the following end the connection
  crowded = 21,     ///< there are as many clients as there may be
  stalled = 22,     ///< the client left a frame unfinished, its answers untaken, or said nothing at first
  ending = 23,      ///< the server ends
};

struct Header {
  std::uint32_t magic = kMagic;
  std::uint16_t version = kVersion;
  Type type = Type::info;
  std::uint32_t length = 0;  ///< bytes of payload that follow
  std::uint32_t number = 0;  ///< of a request, which its answer repeats; 0 of a failure
};

/// The payload of `act`, before observation_length and safe_length numbers in single precision.
struct ActFields {
  std::uint64_t seed = 0;
  std::int64_t step = 0;
  double spent = 0;       ///< NaN: not counted
  double deadline = 0;    ///< seconds from `sent`, or from the arrival; 0: none
  std::int64_t sent = 0;  ///< nanoseconds of CLOCK_MONOTONIC; 0: not told
  std::uint32_t episode = 0;
  std::uint32_t judged = 0;  ///< 1: the critics are asked; 0
  std::uint32_t observation_length = 0;
  std::uint32_t safe_length = 0;
};

/// The payload of `answer`, before action_length numbers in single precision.
struct AnswerFields {
  Checksum checksum{};  ///< of the policy that decided
  std::int32_t source = 0, chunk_step = -1, flow_steps = 0, candidates = 0;
  float q_cost = 0, q_reward = 0, v_cost = 0, v_reward = 0;
  double bound = 0;
  double seconds = 0;  ///< from the same begin as the deadline
  std::int32_t safe = -1;
  std::uint32_t action_length = 0;
};

/// The payload of `facts`. Texts end with zeros.
struct FactsFields {
  std::uint32_t observation_length = 0, action_length = 0, chunk_length = 0, candidates = 0, flow_steps = 0;
  std::uint32_t has_critics = 0, reads_spent = 0;
  std::uint32_t largest_payload = 0;  ///< bytes, of a client's frame
  double cost_limit = 0, region_end = 0;
  std::uint64_t trained_steps = 0;
  char method[32] = "", task[64] = "", computes[64] = "";
  Checksum checksum{};
  char version[16] = "";
};

/// The payload of `refusal` and `failure`, before text_length bytes of UTF-8.
struct ReasonFields {
  Code code = Code::protocol;
  std::uint32_t text_length = 0;
};

static_assert(sizeof(Header) == 16 && sizeof(ActFields) == 56 && sizeof(AnswerFields) == 88 &&
              sizeof(FactsFields) == 264 && sizeof(ReasonFields) == 8);

/// A whole frame where it was received.
struct Frame {
  Header header;
  std::span<const std::byte> payload;
  std::size_t size() const { return sizeof(Header) + payload.size(); }
};

/// A request to act, its numbers where they were received, at any address.
struct ActRequest {
  ActFields fields;
  std::span<const std::byte> observation, safe_action;
};

/// Bytes of payload that a client may send: enough to be told that an observation has twice its length.
std::uint32_t largest_payload(std::size_t observation_length, std::size_t action_length);
/// Bytes of the largest frame that answers a request.
std::size_t largest_answer(std::size_t action_length);

/// The frame that begins `bytes`; none where more bytes are needed, of which there are never more than a
/// header and `largest`. Throws Error(environment) where no frame of a client begins so.
std::optional<Frame> first_frame(std::span<const std::byte> bytes, std::uint32_t largest);

/// Throws Error(environment) where the payload has not the length that it says.
ActRequest parse_act(std::span<const std::byte> payload);

/// The numbers. to  as many as there are
void copy_numbers(std::span<const std::byte> numbers, std::span<float> to);

/// Why a policy of these lengths refuses a request; none: it can be answered.
struct Refusal {
  Code code;
  std::string_view text;
};
std::optional<Refusal> refusal_of(const ActRequest& request, std::size_t observation_length,
                                  std::size_t action_length);

void append_facts(Bytes& to, std::uint32_t number, const FactsFields& facts);
void append_answer(Bytes& to, std::uint32_t number, AnswerFields fields, std::span<const float> action);
/// type  refusal or failure; a text that is too long is cut
void append_reason(Bytes& to, Type type, std::uint32_t number, Code code, std::string_view text);

}  // namespace r2pac::serving
