#include "core/sudden_end.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <utility>

namespace spillway {
namespace {

using Steps = std::vector<EndStep>;

// More than there ever are at a time: a store's pieces, a cgroup, an output file. What finds no slot is left
// to its destructor alone. A handler reads the slots and nothing else, and what they point to never changes.
std::array<std::atomic<const Steps*>, 64> slots;
static_assert(std::atomic<const Steps*>::is_always_lock_free);

void take(const EndStep& step) {
  switch (step.kind) {
    case EndStep::Kind::write:
      if (const int file = ::open(step.path.c_str(), O_WRONLY | O_CLOEXEC); file >= 0) {
        // There is nobody left to tell of an error.
        [[maybe_unused]] const ssize_t written = ::write(file, step.text.data(), step.text.size());
        ::close(file);
      }
      break;
    case EndStep::Kind::unlink:
      ::unlink(step.path.c_str());
      break;
    case EndStep::Kind::rmdir:
      ::rmdir(step.path.c_str());
      break;
  }
}

}  // namespace

OnSuddenEnd::OnSuddenEnd(std::vector<EndStep> steps)
    : steps_(std::make_unique<const std::vector<EndStep>>(std::move(steps))) {
  for (std::atomic<const Steps*>& slot : slots) {
    const Steps* none = nullptr;
    if (slot.compare_exchange_strong(none, steps_.get())) {
      return;
    }
  }
}

OnSuddenEnd::OnSuddenEnd(OnSuddenEnd&& other) noexcept = default;

OnSuddenEnd& OnSuddenEnd::operator=(OnSuddenEnd&& other) noexcept {
  std::swap(steps_, other.steps_);
  return *this;
}

OnSuddenEnd::~OnSuddenEnd() {
  if (!steps_) {
    return;
  }
  for (std::atomic<const Steps*>& slot : slots) {
    const Steps* ours = steps_.get();
    if (slot.compare_exchange_strong(ours, nullptr)) {
      return;
    }
  }
}

void take_steps(const std::vector<EndStep>& steps) {
  for (const EndStep& step : steps) {
    take(step);
  }
}

void take_end_steps() {
  for (const std::atomic<const Steps*>& slot : slots) {
    if (const Steps* steps = slot.load(); steps != nullptr) {
      take_steps(*steps);
    }
  }
}

}  // namespace spillway
