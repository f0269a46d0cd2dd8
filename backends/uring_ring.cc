#include "backends/uring_ring.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>
#include <utility>

#include "core/units.h"
#include "host/overdue_read.h"
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

// A kernel that is short of memory says so for moments. What lasts longer does not pass by itself.
constexpr std::chrono::seconds kMostHindrance{2};

Unexpected refused(int error, const RingOptions& options) {
  return unavailable("{} ({} entries, sqpoll={}, iopoll={})", describe_refusal(error), options.entries,
                     int(options.sqpoll), int(options.iopoll));
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

int UringRing::submit_and_wait(unsigned wait_for) {
  // Before Linux 5.11 a time limit would be a request of its own in the ring.
  if (wait_for == 0 || (ring_.features & IORING_FEAT_EXT_ARG) == 0) {
    return io_uring_submit_and_wait(&ring_, wait_for);
  }
  if (io_uring_sq_ready(&ring_) > 0) {
    if (const int sent = io_uring_submit(&ring_); sent < 0) {
      return sent;
    }
  }
  __kernel_timespec limit = {.tv_sec = 0, .tv_nsec = OverdueWatch::kLook.count()};
  io_uring_cqe* first = nullptr;
  return io_uring_wait_cqes(&ring_, &first, wait_for, &limit, nullptr);
}

int UringRing::enter(unsigned wait_for) {
  const int error = std::max(0, -submit_and_wait(wait_for));
  if (error == 0 || error == EINTR || error == ETIME) {
    hindered_since_.reset();
    return error == ETIME ? ETIME : 0;
  }
  if (!is_transient(error) && error != EBUSY && error != ENOMEM) {
    return error;
  }
  const auto now = std::chrono::steady_clock::now();
  if (!hindered_since_) {
    hindered_since_ = now;
    return 0;
  }
  if (now - *hindered_since_ > kMostHindrance) {
    return error;
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return 0;
}

std::string describe_refusal(int error) {
  const std::string what = fmt::format("io_uring is refused here: {}", error_text(error));
  switch (error) {
    case EPERM:
    case EACCES:
    case ENOSYS:
      return what +
             "; allow it (/proc/sys/kernel/io_uring_disabled, or the container's seccomp profile), or use "
             "--backend pread:direct=1";
    case ENOMEM:
    case EAGAIN:
    case EBUSY:
      return what +
             "; free memory, raise RLIMIT_MEMLOCK (ulimit -l) or ask for a smaller depth, or use --backend "
             "pread:direct=1";
    case EMFILE:
    case ENFILE:
      return what + "; raise RLIMIT_NOFILE (ulimit -n), or use --backend pread:direct=1";
    default:
      return what + "; use --backend pread:direct=1";
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

Result<void> UringRing::try_polling(const StoreFile& file, uint64_t block_bytes) {
  std::vector<std::byte> room(2 * block_bytes);
  const auto address = reinterpret_cast<uint64_t>(room.data());
  std::byte* block = room.data() + (round_up(address, block_bytes) - address);
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  io_uring_prep_read(entry, file.handle.get(), block, unsigned(block_bytes), 0);
  io_uring_cqe* event = nullptr;
  int error = -io_uring_submit_and_wait(&ring_, 1);
  if (error <= 0) {
    error = -io_uring_wait_cqe(&ring_, &event);
  }
  if (error == 0) {
    error = -event->res;
    io_uring_cqe_seen(&ring_, event);
  }
  if (error > 0) {
    return unavailable(
        "the drive under {} refused iopoll=1: {}; use iopoll=0, or give the drive poll queues with "
        "nvme.poll_queues=N on the kernel's command line",
        file.path, error_text(error));
  }
  return {};
}

}  // namespace spillway
