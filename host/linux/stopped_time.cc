#include "host/linux/stopped_time.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <sstream>
#include <system_error>

#include "host/posix_file.h"

namespace spillway {
namespace {

constexpr Nanoseconds kBeat = std::chrono::milliseconds(100);

// A thread that wakes up late by less may just have been unlucky.
constexpr Nanoseconds kLeastGap = std::chrono::milliseconds(300);

// The same where the kernel does not tell how long the thread waited for a processor.
constexpr Nanoseconds kLeastUnexplainedGap = std::chrono::seconds(1);

// Returns the time since boot. This clock goes on while the machine is suspended.
Nanoseconds since_boot() {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  return std::chrono::seconds(time.tv_sec) + Nanoseconds(time.tv_nsec);
}

// Returns how long this thread has waited for a processor so far; nothing if the kernel does not count it.
std::optional<Nanoseconds> waited_for_processor() {
  std::istringstream words(read_text("/proc/thread-self/schedstat").value_or(""));
  int64_t on_processor = 0;
  int64_t waited = 0;
  if (!(words >> on_processor >> waited)) {
    return std::nullopt;
  }
  return Nanoseconds(waited);
}

}  // namespace

StoppedTime::StoppedTime() {
  // Signals are for the other threads: one that blocks in a call has to be woken by them.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { watch(); });
  } catch (const std::system_error&) {
    // The user's limit on threads is reached: stops are not seen.
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

StoppedTime::~StoppedTime() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  end_wanted_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

Nanoseconds StoppedTime::total() {
  const std::lock_guard lock(mutex_);
  return total_;
}

void StoppedTime::watch() {
  std::unique_lock lock(mutex_);
  Nanoseconds last = since_boot();
  std::optional<Nanoseconds> waited_last = waited_for_processor();
  while (!ending_) {
    end_wanted_.wait_for(lock, kBeat, [this] { return ending_; });
    const Nanoseconds now = since_boot();
    const std::optional<Nanoseconds> waited = waited_for_processor();
    const bool is_explained = waited && waited_last;
    const Nanoseconds gap = now - last - kBeat - (is_explained ? *waited - *waited_last : Nanoseconds(0));
    if (gap >= (is_explained ? kLeastGap : kLeastUnexplainedGap)) {
      total_ += gap;
    }
    last = now;
    waited_last = waited;
  }
}

}  // namespace spillway
