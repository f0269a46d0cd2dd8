#include "runtime/model/thread_pool.h"

#include <algorithm>

#include "core/expects.h"

namespace spillway {
namespace {

// Some ten microseconds: longer than the pause between two matrices, shorter than what a sleep and a wake-up
// cost together.
constexpr int kSpins = 400;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Returns when `value` is no longer `old`, having seen what was written before it changed.
uint32_t wait_while(const std::atomic<uint32_t>& value, uint32_t old) {
  for (int i = 0; i < kSpins; ++i) {
    const uint32_t now = value.load(std::memory_order_acquire);
    if (now != old) {
      return now;
    }
    relax();
  }
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(unsigned threads) : workers_(threads) {
  Expects(threads > 0);
  threads_.reserve(threads - 1);
  for (unsigned worker = 1; worker < threads; ++worker) {
    threads_.emplace_back([this, worker] { work(worker); });
  }
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

void ThreadPool::run(Task task) {
  Expects(!running_);
  running_ = true;
  if (workers_ > 1) {
    task_ = &task;
    pending_.store(workers_ - 1, std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
  }
  task(0, workers_);
  uint32_t pending = pending_.load(std::memory_order_acquire);
  while (pending != 0) {
    pending = wait_while(pending_, pending);
  }
  running_ = false;
}

void ThreadPool::work(unsigned worker) {
  // A worker sees every round: the next one does not begin before it has finished this one.
  uint32_t seen = 0;
  for (;;) {
    seen = wait_while(round_, seen);
    if (stop_) {
      return;
    }
    (*task_)(worker, workers_);
    if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      pending_.notify_one();
    }
  }
}

RowRange share_of(uint32_t rows, uint32_t multiple, unsigned worker, unsigned workers) {
  Expects(multiple > 0 && worker < workers);
  const uint64_t units = (uint64_t(rows) + multiple - 1) / multiple;
  const auto bound = [&](uint64_t index) {
    return static_cast<uint32_t>(std::min<uint64_t>(units * index / workers * multiple, rows));
  };
  return {bound(worker), bound(worker + 1)};
}

}  // namespace spillway
