#include "data/columns.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>
#include <cstdio>

#include "base/error.h"

namespace r2pac {

static_assert(std::endian::native == std::endian::little, "fingerprints are of little-endian bytes");

std::int64_t width_of(const ArraySpec& array, const ColumnShape& shape) {
  switch (array.width) {
    case ArraySpec::Width::observation:
      return shape.observation_dim;
    case ArraySpec::Width::action:
      return shape.action_dim;
    case ArraySpec::Width::one:
      break;
  }
  return 1;
}

std::int64_t bytes_of(const ArraySpec& array, const ColumnShape& shape) {
  return shape.rows * width_of(array, shape) * (array.flag ? 1 : std::int64_t{sizeof(float)});
}

std::int64_t offset_of(const ColumnShape& shape, std::size_t index) {
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < index; ++i) offset += (bytes_of(kArrays[i], shape) + 63) / 64 * 64;
  return offset;
}

namespace {

std::int64_t number_columns(const ColumnShape& shape) {
  std::int64_t columns = 0;
  for (const ArraySpec& array : kArrays) columns += array.flag ? 0 : width_of(array, shape);
  return columns;
}

}  // namespace

std::int64_t block_bytes(const ColumnShape& shape, int workers) {
  return offset_of(shape, kArrays.size()) +
         workers * number_columns(shape) * std::int64_t{sizeof(ColumnRounding)};
}

std::span<ColumnRounding> rounding_of(std::byte* block, const ColumnShape& shape, int worker) {
  const std::int64_t columns = number_columns(shape);
  auto* const first = reinterpret_cast<ColumnRounding*>(block + offset_of(shape, kArrays.size()));
  return {first + worker * columns, static_cast<std::size_t>(columns)};
}

std::vector<LostColumn> lost_columns_of(std::byte* block, const ColumnShape& shape, int workers) {
  const std::span<ColumnRounding> all = rounding_of(block, shape, 0);
  for (int worker = 1; worker < workers; ++worker) {
    const auto more = rounding_of(block, shape, worker);
    for (std::size_t i = 0; i < all.size(); ++i) all[i].add(more[i]);
  }
  std::vector<LostColumn> lost;
  std::size_t first = 0;
  for (std::size_t a = 0; a < kArrays.size() && !kArrays[a].flag; ++a) {
    const auto width = static_cast<std::size_t>(width_of(kArrays[a], shape));
    for (const std::int64_t column : lost_columns(all.subspan(first, width)))
      lost.push_back({static_cast<int>(a), column});
    first += width;
  }
  return lost;
}

std::span<const std::byte> DsrlView::bytes(std::size_t index) const {
  switch (index) {
    case 0:
      return std::as_bytes(observations);
    case 1:
      return std::as_bytes(next_observations);
    case 2:
      return std::as_bytes(actions);
    case 3:
      return std::as_bytes(rewards);
    case 4:
      return std::as_bytes(costs);
    case 5:
      return std::as_bytes(terminals);
    default:
      return std::as_bytes(timeouts);
  }
}

DsrlView view_of(const std::byte* block, const ColumnShape& shape) {
  const auto numbers = [&](std::size_t i) {
    return std::span(reinterpret_cast<const float*>(block + offset_of(shape, i)),
                     static_cast<std::size_t>(bytes_of(kArrays[i], shape)) / sizeof(float));
  };
  const auto flags = [&](std::size_t i) {
    return std::span(reinterpret_cast<const std::uint8_t*>(block + offset_of(shape, i)),
                     static_cast<std::size_t>(bytes_of(kArrays[i], shape)));
  };
  return {shape, numbers(0), numbers(1), numbers(2), numbers(3), numbers(4), flags(5), flags(6), {}};
}

DsrlView view_of(const DsrlColumns& c) {
  const DsrlView view{{c.rows, c.observation_dim, c.action_dim},
                      c.observations,
                      c.next_observations,
                      c.actions,
                      c.rewards,
                      c.costs,
                      c.terminals,
                      c.timeouts,
                      c.lost};
  for (std::size_t i = 0; i < kArrays.size(); ++i)
    if (c.rows < 0 || std::ssize(view.bytes(i)) != bytes_of(kArrays[i], view.shape))
      throw InvalidArgument(std::string("DsrlColumns: ") + kArrays[i].name + " holds " +
                            std::to_string(view.bytes(i).size()) + " bytes, " + std::to_string(c.rows) +
                            " rows need " + std::to_string(bytes_of(kArrays[i], view.shape)));
  return view;
}

std::string fingerprint_of(const DsrlView& view) {
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  for (std::size_t i = 0; i < kArrays.size(); ++i) {
    const std::int64_t shape[2] = {view.shape.rows, width_of(kArrays[i], view.shape)};
    XXH3_128bits_update(&state, shape, sizeof shape);
    XXH3_128bits_update(&state, view.bytes(i).data(), view.bytes(i).size());
  }
  const XXH128_hash_t hash = XXH3_128bits_digest(&state);
  char hex[33];
  std::snprintf(hex, sizeof hex, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return hex;
}

}  // namespace r2pac
