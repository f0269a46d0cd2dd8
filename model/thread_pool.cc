#include "model/thread_pool.h"

#include <algorithm>
#include <chrono>

#include "core/expects.h"

namespace spillway {
namespace {

constexpr uint64_t kJoinedMask = 0x7fffffff;
constexpr uint64_t kClosed = 0x80000000;
constexpr unsigned kRoundShift = 32;

uint32_t round_of(uint64_t state) {
  return uint32_t(state >> kRoundShift);
}

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// How long a waiting thread spins without yielding: longer than the work between two matrices, which includes
// norms and a router.
constexpr std::chrono::microseconds kPatience{200};
// How long a waiting thread stays awake before it sleeps: as long as the drive takes for a layer's experts.
// It yields its core to other threads meanwhile, but keeps the core from sleeping: on a virtual machine, a
// core that slept computes the next layer half as fast.
constexpr std::chrono::milliseconds kWakefulness{5};

// Waits until `value` differs from `old` and returns the new value. All writes before the
// change are then visible.
uint32_t wait_while(const std::atomic<uint32_t>& value, uint32_t old) {
  constexpr int kSpinsBetweenLooks = 64;
  const auto begin = std::chrono::steady_clock::now();
  for (std::chrono::nanoseconds waited{0}; waited < kWakefulness;
       waited = std::chrono::steady_clock::now() - begin) {
    if (waited >= kPatience) {
      std::this_thread::yield();
    }
    for (int i = 0; i < kSpinsBetweenLooks; ++i) {
      const uint32_t now = value.load(std::memory_order_acquire);
      if (now != old) {
        return now;
      }
      relax();
    }
  }
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(unsigned threads) : workers_(threads), state_(kClosed) {
  Expects(threads > 0);
  threads_.reserve(threads - 1);
  for (unsigned worker = 1; worker < threads; ++worker) {
    try {
      threads_.emplace_back([this, worker] { work(worker); });
    } catch (const std::system_error&) {
      return;  // the system gives no more threads; those that exist do all pieces
    }
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true, std::memory_order_release);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

void ThreadPool::run(uint32_t pieces, Task task) {
  Expects(!running_);
  running_ = true;
  if (workers_ == 1 || pieces <= 1) {
    for (uint32_t piece = 0; piece < pieces; ++piece) {
      task(piece, 0);
    }
    running_ = false;
    return;
  }
  task_ = &task;
  pieces_ = pieces;
  next_piece_.store(0, std::memory_order_relaxed);
  left_.store(0, std::memory_order_relaxed);
  const uint32_t round = round_of(state_.load(std::memory_order_relaxed)) + 1;
  state_.store(uint64_t{round} << kRoundShift, std::memory_order_release);
  round_.store(round, std::memory_order_release);
  round_.notify_all();
  take_pieces(0);
  const auto joined = uint32_t(state_.fetch_or(kClosed, std::memory_order_acq_rel) & kJoinedMask);
  for (uint32_t left = left_.load(std::memory_order_acquire); left != joined;) {
    left = wait_while(left_, left);
  }
  running_ = false;
}

void ThreadPool::take_pieces(unsigned worker) {
  for (uint32_t piece = next_piece_.fetch_add(1, std::memory_order_relaxed); piece < pieces_;
       piece = next_piece_.fetch_add(1, std::memory_order_relaxed)) {
    (*task_)(piece, worker);
  }
}

// Joins the open round. Returns false if there is none or it is the `seen` one.
bool ThreadPool::join(uint32_t& seen) {
  uint64_t state = state_.load(std::memory_order_acquire);
  while (round_of(state) != seen && (state & kClosed) == 0) {
    if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel,
                                     std::memory_order_acquire)) {
      seen = round_of(state);
      return true;
    }
  }
  return false;
}

void ThreadPool::work(unsigned worker) {
  uint32_t joined = 0;
  uint32_t seen = 0;  // the last value of round_, which may be behind or ahead of the joined round
  for (;;) {
    seen = wait_while(round_, seen);
    if (stop_.load(std::memory_order_acquire)) {
      return;
    }
    if (join(joined)) {
      take_pieces(worker);
      left_.fetch_add(1, std::memory_order_release);
      left_.notify_one();
    }
  }
}

Pieces::Pieces(uint32_t rows, uint32_t multiple, unsigned workers) : rows_(rows) {
  constexpr uint64_t kPerWorker = 4;
  Expects(multiple > 0 && workers > 0);
  const uint64_t units = (uint64_t{rows} + multiple - 1) / multiple;
  const uint64_t wanted = workers == 1 ? 1 : kPerWorker * workers;
  const uint64_t units_each = std::max<uint64_t>((units + wanted - 1) / wanted, 1);
  size_ = uint32_t(std::min<uint64_t>(units_each * multiple, std::max<uint32_t>(rows, 1)));
  count_ = uint32_t((uint64_t{rows} + size_ - 1) / size_);
}

RowRange Pieces::at(uint32_t piece) const {
  const uint64_t first = uint64_t{piece} * size_;
  return {uint32_t(first), uint32_t(std::min<uint64_t>(first + size_, rows_))};
}

}  // namespace spillway
