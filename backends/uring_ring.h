#pragma once

#include <liburing.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backends/store_files.h"
#include "core/result.h"

namespace spillway {

struct RingOptions {
  uint32_t entries = 64;
  bool sqpoll = false;
  bool iopoll = false;
};

// An io_uring with every feature that makes it cheaper and that the running kernel grants. Belongs to the
// thread that makes it.
class UringRing {
 public:
  static Result<UringRing> open(const RingOptions& options);

  UringRing(UringRing&& other) noexcept;
  UringRing& operator=(UringRing&&) = delete;
  ~UringRing();

  io_uring* get() { return &ring_; }
  const std::string& granted() const { return granted_; }  // for the report: "DEFER_TASKRUN"

  // Hands prepared reads to the kernel and waits for `wait_for` completions. Returns an errno, 0 for
  // success; ETIME if they did not come within OverdueWatch::kLook. A call that the kernel could not take
  // for the moment also returns 0; its reads stay in the ring for the next call. If that goes on for
  // seconds, its errno is returned.
  int enter(unsigned wait_for);

  // Registers files, so that reads may name each by its index in `descriptors`. Returns false if
  // the kernel refuses.
  bool register_files(std::span<const int> descriptors);

  // Makes reads into `memory` cheaper: pieces of kRegisteredPiece bytes become the buffers 0, 1, … Replaces
  // the memory registered before. Returns an errno, 0 for success.
  int register_memory(std::span<std::byte> memory);

  // Reads one block of `file` with polling, since a drive refuses polling only when it is polled.
  Result<void> try_polling(const StoreFile& file, uint64_t block_bytes);

  // The kernel's limit on one registered buffer.
  static constexpr uint64_t kRegisteredPiece = uint64_t(1) << 30;

 private:
  UringRing() = default;

  int submit_and_wait(unsigned wait_for);

  io_uring ring_ = {};
  bool open_ = false;
  bool has_memory_ = false;
  std::string granted_;
  std::optional<std::chrono::steady_clock::time_point> hindered_since_;  // no call succeeded since then
};

// Says that the kernel refuses io_uring with `error`, an errno, and what to do.
std::string describe_refusal(int error);

}  // namespace spillway
