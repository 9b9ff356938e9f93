#include "kernels/row_operations.h"

namespace r2pac {

template <class T>
void run_rows(const RowOperation<T>& operation, int rows) {
  std::visit(
      [rows](const auto& o) {
        for (int r = 0; r < rows; ++r) o.row(r, 0, 1);
      },
      operation);
}

template void run_rows(const RowOperation<float>&, int);
template void run_rows(const RowOperation<double>&, int);

}  // namespace r2pac
