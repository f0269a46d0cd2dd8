#include "backends/list.h"

namespace spillway {

// Each function is defined in the file of the same name.
namespace backend {
BackendPlugin null(), pread(), mmap(), uring(), hugepage();
}

const BackendFamily& backends() {
  using namespace backend;
  static const BackendFamily family("backend", {null(), pread(), mmap(), uring(), hugepage()});
  return family;
}

}  // namespace spillway
