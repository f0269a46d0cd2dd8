#include "backends/worker_pool.h"

#include <algorithm>
#include <system_error>

#include "core/expects.h"

namespace spillway {

WorkerPool::WorkerPool(uint32_t threads, uint32_t depth, Read read) : read_(std::move(read)), depth_(depth) {
  Expects(threads > 0 && depth > 0);
  threads_.reserve(threads);
  try {
    for (uint32_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this] { work(); });
    }
  } catch (const std::system_error&) {
    // The user's limit on threads is reached: fewer threads suffice, and without any thread
    // reap() itself reads.
  }
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

size_t WorkerPool::submit(std::span<const IoRequest> requests) {
  const size_t accepted = std::min(requests.size(), depth_ - in_flight_);
  {
    const std::lock_guard lock(mutex_);
    queue_.insert(queue_.end(), requests.begin(), requests.begin() + ptrdiff_t(accepted));
  }
  // Waking more threads than there are requests would gain nothing.
  for (size_t i = 0; i < std::min(accepted, threads_.size()); ++i) {
    wanted_.notify_one();
  }
  in_flight_ += accepted;
  return accepted;
}

size_t WorkerPool::reap(std::span<IoDone> out, size_t at_least) {
  Expects(at_least <= in_flight_ && at_least <= out.size());
  std::unique_lock lock(mutex_);
  if (threads_.empty()) {
    for (; !queue_.empty(); queue_.pop_front()) {
      done_.push_back(read_(queue_.front()));
    }
  }
  awaited_ = at_least;
  finished_.wait(lock, [&] { return done_.size() >= at_least; });
  const size_t count = std::min(out.size(), done_.size());
  std::copy_n(done_.begin(), count, out.begin());
  done_.erase(done_.begin(), done_.begin() + ptrdiff_t(count));
  in_flight_ -= count;
  return count;
}

void WorkerPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wanted_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (stopping_) {
      return;
    }
    const IoRequest request = queue_.front();
    queue_.pop_front();
    lock.unlock();
    const IoDone done = read_(request);
    lock.lock();
    done_.push_back(done);
    if (done_.size() == awaited_) {
      finished_.notify_one();
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
