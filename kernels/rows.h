// Small row-wise schedules that the engine's operations share.
#pragma once

#include "kernels/view.h"

namespace r2pac {

/// to(k, r, first_column + c) = from(k, r, c), for each of to.nets members.
template <class T>
void copy_columns(const View<T>& from, const View<T>& to, int first_column);

/// d_from(k, r, c) = d_to(k, r, first_column + c), or += if `accumulate`: the gradient of copy_columns.
template <class T>
void copy_columns_backward(const View<T>& d_to, int first_column, const View<T>& d_from, bool accumulate);

/// out(r) = table(label(r)): table [labels, cols], label [1, rows, 1] holding whole numbers in range.
template <class T>
void embed(const T* table, const View<T>& label, const View<T>& out);

/// d_table [labels, cols] (overwritten): for each label, the sum of d_out over its rows in ascending order.
template <class T>
void embed_backward(const View<T>& label, const View<T>& d_out, int labels, T* d_table);

/// out(r) = min or max over the members of x(k, r): [nets, rows, 1] -> [1, rows, 1].
template <class T>
void ensemble_extreme(const View<T>& x, bool maximum, const View<T>& out);

}  // namespace r2pac
