#include "report/report.h"

#include "tools/verbs.h"

namespace r2pac {

int run_report(const ReportOptions& options) {
  write_report(options, open_device({}));
  return 0;
}

}  // namespace r2pac
