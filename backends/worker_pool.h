#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "backends/store_files.h"
#include "core/ports.h"
#include "host/overdue_read.h"

namespace spillway {

// Makes a submit/reap pair out of one blocking call, with threads that sleep when there is nothing to do. All
// calls except the reads themselves must come from one thread.
class WorkerPool {
 public:
  // Completes one request. Several threads call it at the same time. It owns what it needs: a read that the
  // drive never answers goes on when the pool is gone.
  using Read = std::function<IoDone(const IoRequest&)>;

  // Accepts at most `depth` requests that are not reaped yet. Runs fewer than `threads` threads if the
  // system refuses more. `store` names the files that are read.
  WorkerPool(uint32_t threads, uint32_t depth, const StoreFiles& store, Read read);

  size_t threads() const { return threads_.size(); }

  // Forgets requests that have not begun and waits for the others. Afterwards no destination
  // is written any more, unless fault() says otherwise.
  ~WorkerPool();

  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // As in Backend. If the end was asked for and a read does not come, all requests end with ECANCELED.
  size_t submit(std::span<const IoRequest> requests);
  size_t reap(std::span<IoDone> out, size_t at_least);

  // Says which read was given up; empty as long as none was.
  const std::string& fault() const { return fault_; }

 private:
  struct Shared;
  static void work(const std::shared_ptr<Shared>& shared, size_t number);
  bool gives_up();
  void cancel_all();

  const size_t depth_;
  const std::vector<std::string> paths_;
  size_t in_flight_ = 0;  // accepted and not reaped; used by the caller's thread only
  OverdueWatch watch_;
  std::string fault_;
  std::shared_ptr<Shared> shared_;  // with the threads, which may outlive the pool
  std::vector<std::thread> threads_;
};

// Fails if a number of threads or requests makes no sense. The error begins with the name of the backend.
Result<void> check_pool(const char* backend, uint32_t threads, uint32_t depth);

}  // namespace spillway
