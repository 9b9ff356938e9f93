#include "data/decode.h"

#include <algorithm>
#include <optional>
#include <type_traits>
#include <vector>

#include "data/episode_groups.h"
#include "data/fence.h"
#include "data/hdf5_array.h"

namespace r2pac {
namespace {

using hdf5::Handle;
using hdf5::StoredArray;

constexpr char kMissing[] = "missing";  // stands for the remedy, which takes a look at the whole file
// What opening a file, its groups and its arrays may take, before their sizes are known.
constexpr std::int64_t kDirectoryBytes = std::int64_t{256} << 20;

struct OpenArray {
  const ArraySpec* spec;
  StoredArray stored;
};

/// What to do with a file that lacks arrays of a DSRL file.
std::string remedy_of_missing(hid_t file) {
  const std::string convert = "`r2pac data convert` makes a DSRL file of it";
  switch (const Layout layout = tell_layout(file); layout) {
    case Layout::minari:
    case Layout::robomimic:
    case Layout::d3rlpy:
      return std::string("this is ") + layout_title(layout) + ": " + convert;
    default:
      break;
  }
  Budget none(0, 0);
  return "a DSRL file has observations, next_observations, actions, rewards, costs, terminals and timeouts; "
         "this "
         "file holds " +
         listing(hdf5::Group(file, none)) + "; " + convert +
         ", with --map observations=NAME where names differ";
}

OpenArray open_array(hid_t file, const ArraySpec& spec) {
  OpenArray array{&spec, hdf5::open_array(file, spec.name,
                                          spec.matrix() ? ArrayKind::matrix : ArrayKind::vector, kMissing)};
  if (&spec == &kArrays[2] && array.stored.type.whole) refuse_discrete(spec.name);
  return array;
}

// ---- all seven together -------------------------------------------------------------------------

/// Throws one Error for all faults found: the texts joined, the remedy of the first.
void throw_faults(const std::vector<Error>& faults, hid_t file) {
  if (faults.empty()) return;
  std::string what = faults[0].what();
  for (std::size_t i = 1; i < faults.size(); ++i) what += std::string("; ") + faults[i].what();
  const std::string& todo = faults[0].todo();
  throw Error(ExitCode::data, what, {}, todo == kMissing ? remedy_of_missing(file) : todo);
}

std::vector<OpenArray> open_arrays(hid_t file) {
  std::vector<OpenArray> arrays;
  std::vector<Error> faults;
  for (const ArraySpec& spec : kArrays) try {
      arrays.push_back(open_array(file, spec));
    } catch (const Error& error) {
      faults.push_back(error);
    }
  throw_faults(faults, file);
  const StoredArray& observations = arrays[0].stored;
  for (const OpenArray& array : arrays)
    if (array.stored.size[0] != observations.size[0])
      faults.push_back(array_fault(array.spec->name,
                                   "has " + std::to_string(array.stored.size[0]) +
                                       " rows, `observations` has " + std::to_string(observations.size[0]),
                                   "all seven arrays must have the same number of rows"));
  if (arrays[1].stored.size[1] != observations.size[1])
    faults.push_back(array_fault(arrays[1].spec->name,
                                 "has " + std::to_string(arrays[1].stored.size[1]) +
                                     " columns, `observations` has " + std::to_string(observations.size[1]),
                                 "both must have the width of an observation"));
  throw_faults(faults, file);
  return arrays;
}

// ---- decoding -----------------------------------------------------------------------------------

/// Decodes rows [row, row + rows) to their place in `out`, the array's part of the block.
void decode_rows(const OpenArray& array, hsize_t row, hsize_t rows, std::byte* out,
                 std::span<ColumnRounding> rounding) {
  if (array.spec->flag)
    return hdf5::read_rows(array.stored, row, rows, [&](hsize_t r, hsize_t, auto value) {
      out[r] = std::byte{as_flag(static_cast<float>(value), array.spec->name, r)};
    });
  float* const numbers = reinterpret_cast<float*>(out);
  const hsize_t width = array.stored.size[1];
  hdf5::read_rows(array.stored, row, rows, [&](hsize_t r, hsize_t column, auto value) {
    if constexpr (std::is_same_v<decltype(value), double>) rounding[column].add(value);
    numbers[r * width + column] = static_cast<float>(value);
  });
}

/// How many of the workers may decode at once, each with so many bytes of its own.
int active_workers(const Budget& budget, std::int64_t working, int workers) {
  budget.require(working);
  return static_cast<int>(
      std::clamp<std::int64_t>(budget.left() / std::max<std::int64_t>(working, 1), 1, workers));
}

}  // namespace

ColumnShape decode(const std::string& path, std::int64_t budget_bytes, int worker, int workers,
                   const std::function<std::byte*(const ColumnShape&)>& allocate) try {
  const hdf5::Silence silence;
  std::optional<AddressSpaceLimit> limit(kDirectoryBytes);
  const Handle file = hdf5::open_file(path);
  const std::vector<OpenArray> arrays = open_arrays(file);
  limit.reset();
  const ColumnShape shape{static_cast<std::int64_t>(arrays[0].stored.size[0]),
                          static_cast<std::int32_t>(arrays[0].stored.size[1]),
                          static_cast<std::int32_t>(arrays[2].stored.size[1])};
  Budget budget(budget_bytes, hdf5::stored_bytes(file));
  budget.claim(block_bytes(shape, workers));
  std::int64_t working = 0;
  for (const OpenArray& array : arrays) working = std::max(working, hdf5::working_bytes(array.stored));
  const int active = active_workers(budget, working, workers);
  limit.emplace(block_bytes(shape, workers) + working + hdf5::kLibraryBytes);
  std::byte* const block = allocate(shape);

  int piece = 0;
  std::span<ColumnRounding> rounding = rounding_of(block, shape, worker);
  std::fill(rounding.begin(), rounding.end(), ColumnRounding{});
  for (std::size_t a = 0; a < arrays.size(); ++a) {
    const StoredArray& stored = arrays[a].stored;
    const hsize_t step = hdf5::piece_rows(stored);
    for (hsize_t row = 0; row < stored.size[0]; row += step, ++piece) {
      if (piece % active != worker) continue;
      decode_rows(arrays[a], row, std::min(step, stored.size[0] - row), block + offset_of(shape, a),
                  rounding);
    }
    if (!arrays[a].spec->flag) rounding = rounding.subspan(stored.size[1]);
  }
  return shape;
} catch (const hdf5::Failure& failure) {
  const Error error = failure.explain("the file", " and cannot be opened");
  throw Error(error.code(), error.what(), path, error.todo());
} catch (const Error& error) {
  throw Error(error.code(), error.what(), path, error.todo());
}

std::string hdf5_version() {
  unsigned major = 0, minor = 0, patch = 0;
  H5get_libversion(&major, &minor, &patch);
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

}  // namespace r2pac
