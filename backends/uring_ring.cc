#include "backends/uring_ring.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "host/posix_file.h"

namespace spillway {
namespace {

struct Mode {
  unsigned flags;
  const char* name;
};

// Modes from the cheapest to the one that every kernel has. DEFER_TASKRUN (Linux 6.1) runs completions when
// they are asked for instead of interrupting compute. COOP_TASKRUN (5.19) at least avoids the interrupt.
constexpr std::array<Mode, 3> kModes = {
    {{IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG, "DEFER_TASKRUN"},
     {IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, "COOP_TASKRUN"},
     {0, "no TASKRUN mode"}}};

Unexpected refused(int error, const RingOptions& options) {
  switch (error) {
    case EPERM:
    case ENOSYS:
      return unavailable(
          "io_uring is refused here ({}; see /proc/sys/kernel/io_uring_disabled or the container's seccomp "
          "profile); use --backend pread:direct=1",
          error_text(error));
    case ENOMEM:
      return unavailable(
          "io_uring with {} entries refused: {}; raise RLIMIT_MEMLOCK (ulimit -l) or ask for a smaller depth",
          options.entries, error_text(error));
    default:
      return unavailable("io_uring with {} entries, sqpoll={}, iopoll={} refused: {}", options.entries,
                         int(options.sqpoll), int(options.iopoll), error_text(error));
  }
}

}  // namespace

Result<UringRing> UringRing::open(const RingOptions& options) {
  int error = 0;
  for (const Mode& mode : kModes) {
    // A polling kernel thread does the task work itself, which excludes those modes.
    if (options.sqpoll && mode.flags != 0) {
      continue;
    }
    io_uring_params params = {};
    params.flags = mode.flags | (options.iopoll ? IORING_SETUP_IOPOLL : 0U) |
                   (options.sqpoll ? IORING_SETUP_SQPOLL : 0U);
    params.sq_thread_idle = 50;  // ms
    UringRing ring;
    error = -io_uring_queue_init_params(options.entries, &ring.ring_, &params);
    if (error == 0) {
      ring.open_ = true;
      // Saves the kernel a look-up per call. If this fails, the descriptor works as before.
      io_uring_register_ring_fd(&ring.ring_);
      ring.granted_ = options.sqpoll ? "SQPOLL" : mode.name;
      if (options.iopoll) {
        ring.granted_ += ", IOPOLL";
      }
      return ring;
    }
    if (error != EINVAL) {
      break;
    }
  }
  return refused(error, options);
}

UringRing::UringRing(UringRing&& other) noexcept
    : ring_(other.ring_),
      open_(std::exchange(other.open_, false)),
      has_memory_(other.has_memory_),
      granted_(std::move(other.granted_)) {}

UringRing::~UringRing() {
  if (open_) {
    io_uring_queue_exit(&ring_);
  }
}

bool UringRing::register_files(std::span<const int> descriptors) {
  return io_uring_register_files(&ring_, descriptors.data(), unsigned(descriptors.size())) == 0;
}

int UringRing::register_memory(std::span<std::byte> memory) {
  if (std::exchange(has_memory_, false)) {
    io_uring_unregister_buffers(&ring_);
  }
  std::vector<iovec> pieces;
  while (!memory.empty()) {
    const size_t bytes = std::min<size_t>(memory.size(), kRegisteredPiece);
    pieces.push_back({.iov_base = memory.data(), .iov_len = bytes});
    memory = memory.subspan(bytes);
  }
  if (pieces.empty()) {
    return 0;
  }
  const int error = -io_uring_register_buffers(&ring_, pieces.data(), unsigned(pieces.size()));
  has_memory_ = error == 0;
  return error;
}

}  // namespace spillway
