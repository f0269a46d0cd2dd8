#include "backends/worker_pool.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <system_error>

#include "core/expects.h"

namespace spillway {

namespace {

using SteadyClock = std::chrono::steady_clock;

std::vector<std::string> paths_of(const StoreFiles& store) {
  std::vector<std::string> paths;
  for (const StoreFile& file : store.files) {
    paths.push_back(file.path);
  }
  return paths;
}

}  // namespace

struct WorkerPool::Shared {
  // The read of one thread.
  struct Running {
    IoRequest request;
    SteadyClock::time_point since;
  };

  explicit Shared(Read to_read) : read(std::move(to_read)) {}

  const Read read;
  std::mutex mutex;
  std::condition_variable wanted;    // a request is queued, or stopping is set
  std::condition_variable finished;  // `awaited` completions are there
  std::deque<IoRequest> queue;
  std::deque<IoDone> done;
  std::vector<std::optional<Running>> running;  // one for each thread
  size_t awaited = 0;                           // number of completions at which reap() is woken
  bool stopping = false;
};

WorkerPool::WorkerPool(uint32_t threads, uint32_t depth, const StoreFiles& store, Read read)
    : depth_(depth), paths_(paths_of(store)), shared_(std::make_shared<Shared>(std::move(read))) {
  Expects(threads > 0 && depth > 0);
  threads_.reserve(threads);
  shared_->running.resize(threads);
  try {
    for (uint32_t i = 0; i < threads; ++i) {
      threads_.emplace_back([shared = shared_, i] { work(shared, i); });
    }
  } catch (const std::system_error&) {
    // The user's limit on threads is reached: fewer threads suffice, and without any thread
    // reap() itself reads.
  }
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->stopping = true;
  }
  shared_->wanted.notify_all();
  for (std::thread& thread : threads_) {
    if (fault_.empty()) {
      thread.join();
    } else {
      thread.detach();
    }
  }
}

size_t WorkerPool::submit(std::span<const IoRequest> requests) {
  const size_t accepted = std::min(requests.size(), depth_ - in_flight_);
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->queue.insert(shared_->queue.end(), requests.begin(), requests.begin() + ptrdiff_t(accepted));
    if (!fault_.empty()) {
      cancel_all();
    }
  }
  // Waking more threads than there are requests would gain nothing.
  for (size_t i = 0; i < std::min(accepted, threads_.size()); ++i) {
    shared_->wanted.notify_one();
  }
  in_flight_ += accepted;
  return accepted;
}

size_t WorkerPool::reap(std::span<IoDone> out, size_t at_least) {
  Expects(at_least <= in_flight_ && at_least <= out.size());
  Shared& shared = *shared_;
  std::unique_lock lock(shared.mutex);
  if (threads_.empty()) {
    for (; !shared.queue.empty(); shared.queue.pop_front()) {
      shared.done.push_back(shared.read(shared.queue.front()));
    }
  }
  shared.awaited = at_least;
  while (
      !shared.finished.wait_for(lock, OverdueWatch::kLook, [&] { return shared.done.size() >= at_least; })) {
    if (gives_up()) {
      cancel_all();
    }
  }
  const size_t count = std::min(out.size(), shared.done.size());
  std::copy_n(shared.done.begin(), count, out.begin());
  shared.done.erase(shared.done.begin(), shared.done.begin() + ptrdiff_t(count));
  in_flight_ -= count;
  if (count > 0) {
    watch_.relax();
  }
  return count;
}

// Looks at the read that runs for the longest time. Called with the lock held.
bool WorkerPool::gives_up() {
  const std::optional<Shared::Running>* slowest = nullptr;
  for (const std::optional<Shared::Running>& one : shared_->running) {
    if (one && (slowest == nullptr || one->since < (*slowest)->since)) {
      slowest = &one;
    }
  }
  if (slowest == nullptr) {
    return false;
  }
  const ByteRange& range = (*slowest)->request.range;
  const OverdueRead read = {paths_[range.file], range.offset, range.bytes,
                            SteadyClock::now() - (*slowest)->since};
  if (!watch_.gives_up(read)) {
    return false;
  }
  fault_ = describe(read);
  return true;
}

// Completes every request with ECANCELED. A thread whose read ends later finds that nobody wants it. Called
// with the lock held.
void WorkerPool::cancel_all() {
  const auto cancel = [this](const IoRequest& request) {
    shared_->done.push_back({.tag = request.tag, .error = ECANCELED, .data = request.destination});
  };
  for (std::optional<Shared::Running>& one : shared_->running) {
    if (one) {
      cancel(one->request);
      one.reset();
    }
  }
  std::for_each(shared_->queue.begin(), shared_->queue.end(), cancel);
  shared_->queue.clear();
}

void WorkerPool::work(const std::shared_ptr<Shared>& shared, size_t number) {
  std::unique_lock lock(shared->mutex);
  while (true) {
    shared->wanted.wait(lock, [&] { return shared->stopping || !shared->queue.empty(); });
    if (shared->stopping) {
      return;
    }
    const IoRequest request = shared->queue.front();
    shared->queue.pop_front();
    shared->running[number] = Shared::Running{request, SteadyClock::now()};
    lock.unlock();
    const IoDone done = shared->read(request);
    lock.lock();
    if (!shared->running[number]) {
      return;  // the read was given up
    }
    shared->running[number].reset();
    shared->done.push_back(done);
    if (shared->done.size() == shared->awaited) {
      shared->finished.notify_one();
    }
  }
}

Result<void> check_pool(const char* backend, uint32_t threads, uint32_t depth) {
  constexpr uint32_t kMostThreads = 1024;
  constexpr uint32_t kMostDepth = 65536;
  if (threads == 0 || threads > kMostThreads) {
    return wrong_usage("{}: threads={} is not between 1 and {}", backend, threads, kMostThreads);
  }
  if (depth == 0 || depth > kMostDepth) {
    return wrong_usage("{}: depth={} is not between 1 and {}", backend, depth, kMostDepth);
  }
  return {};
}

}  // namespace spillway
