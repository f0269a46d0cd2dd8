#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "core/function_ref.h"

namespace spillway {

// Workers that run one task together, up to hundreds of times a token. A task is cut into pieces, and each
// free worker fetches the next piece. A worker that sleeps, or whose core has other work, costs only its
// help, since the caller never waits for a worker that has not begun. Between tasks, workers look for the
// next task for some milliseconds, yielding their core to other threads, and then sleep.
class ThreadPool final {
 public:
  // Starts `threads` workers, at least one. The caller of run() is one of them.
  explicit ThreadPool(unsigned threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Returns the number of workers asked for. There may be fewer when the system
  // refuses to start more threads.
  unsigned size() const { return workers_; }

  // Calls task(piece, worker) once for each piece in [0, pieces) and returns when all calls have returned;
  // their writes are visible then. The caller is worker 0, and no two simultaneous calls have the same
  // worker. Call run() from one thread at a time and not from within a task. A task must not throw.
  using Task = FunctionRef<void(uint32_t piece, unsigned worker)>;
  void run(uint32_t pieces, Task task);

 private:
  void work(unsigned worker);
  bool join(uint32_t& seen);
  void take_pieces(unsigned worker);

  const unsigned workers_;
  bool running_ = false;  // used by the calling thread alone

  // Written by the caller while no worker has joined; read by the workers that have.
  const Task* task_ = nullptr;
  uint32_t pieces_ = 0;

  std::atomic<uint32_t> next_piece_{0};
  // Upper half: the round. Lower half: whether joining is over, and how many workers have joined.
  std::atomic<uint64_t> state_;
  std::atomic<uint32_t> left_{0};   // how many of the joined workers have left
  std::atomic<uint32_t> round_{0};  // follows state_; sleeping workers wait for a change
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

// Rows [first, last).
struct RowRange {
  uint32_t first = 0;
  uint32_t last = 0;
};

// `rows` rows cut into pieces of equal size, only the last one possibly smaller: several for each of
// `workers`. All pieces but the last are multiples of `multiple` rows.
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
