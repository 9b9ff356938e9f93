// Episodes and oddities of the arrays of a file. Internal to this folder.
#pragma once

#include <vector>

#include "data/columns.h"
#include "data/dataset.h"

namespace r2pac {

/// Episodes of the file's own rows.
std::vector<Episode> split_episodes(const DsrlView& view);

/// Windows of `chunk_length` rows that fit into the episodes.
std::int64_t count_windows(const std::vector<Episode>& episodes, int chunk_length);

/// "zero valid windows: ...", with the longest episode and the chunk length.
std::string no_windows(std::span<const Episode> episodes, int chunk_length);

/// Where something was found in an array: how many rows, and the first of them (-1: none).
struct Finding {
  std::int64_t rows = 0, first_row = -1;
  void add(std::int64_t row) {
    if (rows++ == 0) first_row = row;
  }
};

/// Whether the next observation of a row that is not the last is what the next row observed.
bool next_row_follows(const DsrlView& view, std::int64_t row);

/// Rows of array `index` of kArrays with NaN or infinity.
Finding find_non_finite(const DsrlView& view, std::size_t index);
/// "3 rows (first: 17)"
std::string rows_text(const Finding& found);
/// Throws Error(ExitCode::data) that names the first array with NaN or infinity.
void require_finite(const DsrlView& view, const std::string& path);
/// Rows with an action component outside [-1, 1] by more than rounding.
Finding find_unbounded_actions(const DsrlView& view);

}  // namespace r2pac
