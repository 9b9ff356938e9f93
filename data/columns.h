// The seven arrays seen without owning them, and where each lies in one block of memory.
// Internal to this folder.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "data/dsrl.h"
#include "data/rounding.h"

namespace r2pac {

struct ColumnShape {
  std::int64_t rows = 0;
  std::int32_t observation_dim = 0, action_dim = 0;
  bool operator==(const ColumnShape&) const = default;
};

struct ArraySpec {
  const char* name;
  enum class Width { observation, action, one } width;
  bool flag;  ///< stored as one byte, 0 or 1; otherwise as float
  bool matrix() const { return width != Width::one; }
};

/// In the order of the block of memory and of the fingerprint.
inline constexpr std::array<ArraySpec, 7> kArrays{{
    {"observations", ArraySpec::Width::observation, false},
    {"next_observations", ArraySpec::Width::observation, false},
    {"actions", ArraySpec::Width::action, false},
    {"rewards", ArraySpec::Width::one, false},
    {"costs", ArraySpec::Width::one, false},
    {"terminals", ArraySpec::Width::one, true},
    {"timeouts", ArraySpec::Width::one, true},
}};

std::int64_t width_of(const ArraySpec& array, const ColumnShape& shape);
std::int64_t bytes_of(const ArraySpec& array, const ColumnShape& shape);
/// Where array `index` begins in the block, a multiple of 64; offset_of(shape, 7) is the block's size.
std::int64_t offset_of(const ColumnShape& shape, std::size_t index);

/// Bytes of the block with room for the rounding of the columns that each of the workers has seen.
std::int64_t block_bytes(const ColumnShape& shape, int workers);
/// What one worker has seen: an entry for each column of the arrays that are no flags, in their order.
std::span<ColumnRounding> rounding_of(std::byte* block, const ColumnShape& shape, int worker);
/// The columns in which the rounding of all workers together takes the variation.
std::vector<LostColumn> lost_columns_of(std::byte* block, const ColumnShape& shape, int workers);

/// The seven arrays; sizes as in DsrlColumns.
struct DsrlView {
  ColumnShape shape;
  std::span<const float> observations, next_observations, actions, rewards, costs;
  std::span<const std::uint8_t> terminals, timeouts;
  std::vector<LostColumn> lost;

  /// The bytes of array `index` of kArrays.
  std::span<const std::byte> bytes(std::size_t index) const;
};

/// View of a block laid out by offset_of.
DsrlView view_of(const std::byte* block, const ColumnShape& shape);
/// Throws InvalidArgument when an array's size does not fit the declared rows and dimensions.
DsrlView view_of(const DsrlColumns& columns);

/// XXH3-128 of the seven arrays' shapes and contents, 32 hexadecimal digits.
std::string fingerprint_of(const DsrlView& view);

}  // namespace r2pac
