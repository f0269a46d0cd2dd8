#include "host/interrupt.h"

#include <atomic>

namespace spillway {
namespace {

std::atomic<bool> end_wanted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

}  // namespace

bool interrupted() {
  return end_wanted.load(std::memory_order_relaxed);
}

void interrupt() {
  end_wanted.store(true, std::memory_order_relaxed);
}

}  // namespace spillway
