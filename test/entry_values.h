// Parameters of some networks by themselves: their arena may hold those of others between them.
#pragma once

#include <vector>

#include "engine/parameters.h"

namespace r2pac {

/// What an arena of the parameters holds for entries [first, last), one after the other; last -1: all.
template <class T>
std::vector<T> entry_values(const Parameters<T>& parameters, const Buffer<T>& arena, int first = 0,
                            int last = -1) {
  std::vector<T> all;
  if (last < 0) last = static_cast<int>(parameters.entries().size());
  for (int i = first; i < last; ++i) {
    std::vector<T> values(parameters.entry(i).shape.size());
    arena.copy_out(values.data(), values.size(), parameters.offset(arena, parameters.entry(i)));
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

/// The reverse, for the values of all entries; packs are renewed.
template <class T>
void set_entry_values(Parameters<T>& parameters, const std::vector<T>& all) {
  std::size_t at = 0;
  for (const auto& entry : parameters.entries()) {
    parameters.values().copy_in(all.data() + at, entry.shape.size(), entry.offset);
    at += entry.shape.size();
  }
  parameters.repack();
}

}  // namespace r2pac
