// Random numbers as a function: Philox4x32-10 of (seed; purpose, step, row, lane).
//
// Nothing is ever "drawn from a stream": a value depends on its five coordinates alone, so a resumed
// run, another number of threads or another device sees the same values.
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include <cmath>
#include <cstdint>

#include "base/host_device.h"

namespace r2pac {

/// What a random number is for. Numbers of different purposes are independent.
/// The values are part of the file formats (a resumed run must see the same numbers): never renumber.
enum class Purpose : std::uint32_t {
  initial_weights = 0,
  batch_rows = 1,
  flow_noise = 2,
  flow_time = 3,
  label_dropout = 4,
  candidate_noise = 5,
  environment_start = 6,
  driver = 7,
  test = 8,
  resampling = 9,
  dropout = 10,
  hold_out = 11,
  calibration = 12,
  budget = 13,
  policy_noise = 14,
  diffusion_time = 15,
};

struct Words4 {
  std::uint32_t word[4];
};

/// word[index], index < 4, by selection: an array with a variable index would lie in a device's local memory.
R2_FORMULA std::uint32_t word_at(const Words4& words, std::uint32_t index) {
  const std::uint32_t even = index < 2 ? words.word[0] : words.word[2];
  const std::uint32_t odd = index < 2 ? words.word[1] : words.word[3];
  return index % 2 == 0 ? even : odd;
}

/// The Philox4x32-10 bijection of a 128-bit counter under a 64-bit key.
R2_FORMULA Words4 philox4x32_10(Words4 counter, std::uint64_t key) {
  auto key0 = static_cast<std::uint32_t>(key), key1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53} * counter.word[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * counter.word[2];
    counter = {{static_cast<std::uint32_t>(product1 >> 32) ^ counter.word[1] ^ key0,
                static_cast<std::uint32_t>(product1),
                static_cast<std::uint32_t>(product0 >> 32) ^ counter.word[3] ^ key1,
                static_cast<std::uint32_t>(product0)}};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}

/// The four words at lanes 4 * block .. 4 * block + 3 of (seed; purpose, step, row). step < 2^48.
R2_FORMULA Words4 random_words(std::uint64_t seed, Purpose purpose, std::uint64_t step, std::uint32_t row,
                               std::uint32_t block) {
  const std::uint32_t high =
      static_cast<std::uint32_t>(purpose) << 16 | static_cast<std::uint32_t>(step >> 32);
  return philox4x32_10({{block, row, static_cast<std::uint32_t>(step), high}}, seed);
}

/// A word as a number in (0, 1): the middle of one of 2^23 equal cells, exact in float.
R2_FORMULA float unit_interval(std::uint32_t word) {
  return (static_cast<float>(word >> 9) + 0.5f) * 0x1p-23f;
}

/// Uniform on (0, 1).
R2_FORMULA float random_uniform(std::uint64_t seed, Purpose purpose, std::uint64_t step, std::uint32_t row,
                                std::uint32_t lane) {
  return unit_interval(word_at(random_words(seed, purpose, step, row, lane / 4), lane % 4));
}

/// Uniform integer in [0, bound), from 64 random bits; the bias is below bound / 2^64. bound < 2^32.
R2_FORMULA std::uint32_t random_below(std::uint64_t seed, Purpose purpose, std::uint64_t step,
                                      std::uint32_t row, std::uint32_t bound) {
  const Words4 words = random_words(seed, purpose, step, row, 0);
  const std::uint64_t low = std::uint64_t{words.word[1]} * bound >> 32;
  return static_cast<std::uint32_t>((std::uint64_t{words.word[0]} * bound + low) >> 32);
}

/// cos(2 pi turn), or the sine, for a turn of 24 bits in (0, 1). On a device by cospi, whose argument is
/// exact here: no range reduction in local memory. They differ by the rounding of the host's angle, below
/// 5e-7.
R2_FORMULA float cosine_of_turn(float turn, bool sine) {
#ifdef __CUDA_ARCH__
  return cospif(2.0f * turn - (sine ? 0.5f : 0.0f));
#else
  const float angle = 6.283185307179586f * turn;
  return sine ? std::sin(angle) : std::cos(angle);
#endif
}

/// Standard normal of a lane from its four words, by Box and Muller; lanes 2i and 2i+1 are the cosine and
/// sine of one pair of words.
R2_FORMULA float normal_of_words(const Words4& words, std::uint32_t lane) {
  const std::uint32_t pair = lane % 4 / 2 * 2;
  const float radius = std::sqrt(-2.0f * std::log(unit_interval(word_at(words, pair))));
  return radius * cosine_of_turn(unit_interval(word_at(words, pair + 1)), lane % 2 != 0);
}

/// Standard normal.
R2_FORMULA float random_normal(std::uint64_t seed, Purpose purpose, std::uint64_t step, std::uint32_t row,
                               std::uint32_t lane) {
  return normal_of_words(random_words(seed, purpose, step, row, lane / 4), lane);
}

}  // namespace r2pac
