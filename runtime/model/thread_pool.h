#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "core/function_ref.h"

namespace spillway {

// Workers that run one task together, as often as hundreds of times a token. Between tasks they look for the
// next one for some microseconds and then sleep, so that a machine with other work does not suffer.
class ThreadPool final {
 public:
  // `threads` workers, of which the caller of run() is one; at least one.
  explicit ThreadPool(unsigned threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  unsigned size() const { return workers_; }

  // Calls task(worker, workers) once for each worker, worker 0 in the calling thread, and returns when all
  // have returned; what they wrote is visible then. From one thread at a time, and not from within a task,
  // which must not throw.
  void run(FunctionRef<void(unsigned worker, unsigned workers)> task);

 private:
  using Task = FunctionRef<void(unsigned, unsigned)>;

  void work(unsigned worker);

  const unsigned workers_;
  const Task* task_ = nullptr;        // valid while pending_ is not 0
  bool stop_ = false;                 // read after a new round
  bool running_ = false;              // of the calling thread alone
  std::atomic<uint32_t> round_{0};    // grows with every task; publishes task_ and stop_
  std::atomic<uint32_t> pending_{0};  // workers that have yet to finish it
  std::vector<std::thread> threads_;
};

// Rows [first, last) of `rows` that `worker` of `workers` takes: as even as multiples of `multiple` allow, in
// order, each row to exactly one.
struct RowRange {
  uint32_t first = 0;
  uint32_t last = 0;
};
RowRange share_of(uint32_t rows, uint32_t multiple, unsigned worker, unsigned workers);

}  // namespace spillway
