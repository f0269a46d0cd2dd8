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

// Makes a submit/reap pair out of one blocking call, by threads that sleep when there is nothing to do. All
// calls but the reads themselves come from one thread.
class WorkerPool {
 public:
  // Completes one request; called by several threads at once.
  using Read = std::function<IoDone(const IoRequest&)>;

  // At most `depth` requests are accepted before they are reaped. There are fewer threads than asked for
  // where the system gives no more.
  WorkerPool(uint32_t threads, uint32_t depth, Read read);

  size_t threads() const { return threads_.size(); }

  // Forgets what has not begun and waits for the rest, after which no destination is written any more.
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
  size_t in_flight_ = 0;  // accepted and not reaped; the caller's thread only

  std::mutex mutex_;
  std::condition_variable wanted_;    // a request is there, or it is time to stop
  std::condition_variable finished_;  // a completion is there
  std::deque<IoRequest> queue_;
  std::deque<IoDone> done_;
  size_t awaited_ = 0;  // completions without which reap() need not be woken
  bool stopping_ = false;

  std::vector<std::thread> threads_;
};

// Refuses numbers of threads and requests that make no sense, in the name of the backend that asked.
Result<void> check_pool(const char* backend, uint32_t threads, uint32_t depth);

}  // namespace spillway
