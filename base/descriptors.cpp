#include "base/descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace r2pac {

void open_standard_descriptors() {
  for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; ++standard)
    if (fcntl(standard, F_GETFD) < 0 && errno == EBADF)
      // The lowest number that is free: this one, since those below it are open by now.
      if (open("/dev/null", O_RDWR) != standard) return;
}

int above_standard_descriptors(int descriptor) {
  if (descriptor < 0 || descriptor > STDERR_FILENO) return descriptor;
  const int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  close(descriptor);
  return copy;
}

}  // namespace r2pac
