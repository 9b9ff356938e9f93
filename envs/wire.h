// Messages between the program and the process of an environment or a policy, as docs/environments.md
// describes them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/error.h"

namespace r2pac::wire {

static_assert(std::endian::native == std::endian::little,
              "the protocol is little-endian, and copied as it is");

inline constexpr std::uint32_t kVersion = 3;
inline constexpr std::uint32_t kOldestVersion = 1;             ///< that is still understood
inline constexpr std::uint32_t kPictureVersion = 3;            ///< the first that knows pictures
inline constexpr std::uint32_t kPolicyVersion = 1;             ///< of the messages to a policy
inline constexpr std::uint32_t kMagic = 0x45433252;            ///< the bytes "R2CE"
inline constexpr std::uint32_t kLargestPayload = 64u << 20;    ///< bytes
inline constexpr std::uint32_t kLargestText = 64u << 10;       ///< bytes, of an error or a description
inline constexpr std::uint32_t kWidestObservation = 1u << 20;  ///< S
inline constexpr std::uint32_t kWidestAction = 1u << 16;       ///< A
inline constexpr std::uint32_t kLargestDescription = kLargestText + 2 * 8 * kWidestAction;  ///< bytes
inline constexpr std::uint32_t kLongestEpisode = 1'000'000'000u;                            ///< steps

enum class Message : std::uint32_t {
  hello = 1,
  description = 2,
  reset = 3,
  observation = 4,
  step = 5,
  transition = 6,
  close = 7,
  error = 8,
  working = 9,
  decide = 10,   // to a policy
  actions = 11,  // of it
  render = 12,   // to an environment
  picture = 13,
};

struct Header {
  std::uint32_t magic, type, length;  ///< length: bytes of payload that follow
};
static_assert(sizeof(Header) == 12 && std::is_trivially_copyable_v<Header>);

/// Builds one message.
class Writer {
 public:
  explicit Writer(Message type) : bytes_(sizeof(Header), '\0'), type_(type) {}

  template <class T>
  Writer& put(std::span<const T> values) {
    static_assert(std::is_arithmetic_v<T>);
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    return *this;
  }
  Writer& put(std::uint32_t value) { return put(std::span<const std::uint32_t>(&value, 1)); }

  /// Header and payload.
  std::string message() && {
    const auto length = static_cast<std::uint32_t>(bytes_.size() - sizeof(Header));
    const Header header{kMagic, static_cast<std::uint32_t>(type_), length};
    std::memcpy(bytes_.data(), &header, sizeof header);
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
  Message type_;
};

/// Takes a payload apart, from its beginning. Whoever reads has checked the length; beyond it:
/// InvalidArgument.
class Reader {
 public:
  explicit Reader(std::string_view payload) : rest_(payload) {}

  template <class T>
  void take(std::span<T> values) {
    static_assert(std::is_arithmetic_v<T>);
    if (rest_.size() < values.size_bytes()) throw InvalidArgument("wire::Reader: the payload is too short");
    std::memcpy(values.data(), rest_.data(), values.size_bytes());
    rest_.remove_prefix(values.size_bytes());
  }
  std::uint32_t take_number() {
    std::uint32_t value = 0;
    take(std::span(&value, 1));
    return value;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

}  // namespace r2pac::wire
