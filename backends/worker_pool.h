#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "core/ports.h"

namespace spillway {

// Makes a submit/reap pair out of one blocking call, with threads that sleep when there is nothing to do. All
// calls except the reads themselves must come from one thread.
class WorkerPool {
 public:
  // Completes one request. Several threads call it at the same time.
  using Read = std::function<IoDone(const IoRequest&)>;

  // Accepts at most `depth` requests that are not reaped yet. Runs fewer than `threads` threads if the
  // system refuses more.
  WorkerPool(uint32_t threads, uint32_t depth, Read read);

  size_t threads() const { return threads_.size(); }

  // Forgets requests that have not begun and waits for the others. Afterwards no destination
  // is written any more.
  ~WorkerPool();

  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // As in Backend.
  size_t submit(std::span<const IoRequest> requests);
  size_t reap(std::span<IoDone> out, size_t at_least);

 private:
  void work();

  const Read read_;
  const size_t depth_;
  size_t in_flight_ = 0;  // accepted and not reaped; used by the caller's thread only

  std::mutex mutex_;
  std::condition_variable wanted_;    // a request is queued, or stopping_ is set
  std::condition_variable finished_;  // awaited_ completions are there
  std::deque<IoRequest> queue_;
  std::deque<IoDone> done_;
  size_t awaited_ = 0;  // number of completions at which reap() is woken
  bool stopping_ = false;

  std::vector<std::thread> threads_;
};

// Fails if a number of threads or requests makes no sense. The error begins with the name of the backend.
Result<void> check_pool(const char* backend, uint32_t threads, uint32_t depth);

}  // namespace spillway
