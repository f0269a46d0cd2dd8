#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "core/function_ref.h"

namespace spillway {

// Workers that run one task together, as often as hundreds of times a token. A task is cut into pieces, which
// whoever is free takes: a worker that sleeps, or whose core has other work, costs its help and nothing else,
// since the caller never waits for one that has not begun. Between tasks workers look for the next one for
// some milliseconds, giving way to whoever else wants their core, and then sleep.
class ThreadPool final {
 public:
  // `threads` workers, of which the caller of run() is one; at least one.
  explicit ThreadPool(unsigned threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // As asked for; there may be fewer where the system gives no more.
  unsigned size() const { return workers_; }

  // Calls task(piece, worker) once for each piece in [0, pieces) and returns when all have returned; what
  // they wrote is visible then. The caller is worker 0; no two calls at a time have the same worker. From one
  // thread at a time, and not from within a task, which must not throw.
  using Task = FunctionRef<void(uint32_t piece, unsigned worker)>;
  void run(uint32_t pieces, Task task);

 private:
  void work(unsigned worker);
  bool join(uint32_t& seen);
  void take_pieces(unsigned worker);

  const unsigned workers_;
  bool running_ = false;  // of the calling thread alone

  // Written by the caller while nobody has joined; read by those who have.
  const Task* task_ = nullptr;
  uint32_t pieces_ = 0;

  std::atomic<uint32_t> next_piece_{0};
  // The round in the upper half; below it whether joining is over, and how many workers have joined.
  std::atomic<uint64_t> state_;
  std::atomic<uint32_t> left_{0};   // of those who joined
  std::atomic<uint32_t> round_{0};  // what sleeping workers wait on; follows state_
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

// Rows [first, last).
struct RowRange {
  uint32_t first = 0;
  uint32_t last = 0;
};

// `rows` cut into pieces of one size, the last one perhaps smaller: several for each of `workers`, but none
// smaller than `multiple`, of which all but the last are multiples.
class Pieces {
 public:
  Pieces(uint32_t rows, uint32_t multiple, unsigned workers);

  uint32_t count() const { return count_; }
  RowRange at(uint32_t piece) const;

 private:
  uint32_t rows_;
  uint32_t size_;
  uint32_t count_;
};

}  // namespace spillway
