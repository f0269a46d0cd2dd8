#include "backends/list.h"

#include <vector>

namespace spillway {

std::span<const BackendPlugin> backends() {
  static const std::vector<BackendPlugin> kList = {null_backend(), pread_backend(), mmap_backend(),
                                                   uring_backend(), hugepage_backend()};
  return kList;
}

}  // namespace spillway
