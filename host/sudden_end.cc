#include "host/sudden_end.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <utility>

namespace spillway {

// Entries are only ever added. A signal handler may run in any thread at any moment, so an entry that it may
// be reading must neither change nor be freed. An entry that is no longer needed is switched off.
struct OnSuddenEnd::Entry {
  const std::vector<EndStep> steps;
  std::atomic<bool> wanted{true};
  Entry* next = nullptr;

  static std::atomic<Entry*> newest;
};

std::atomic<OnSuddenEnd::Entry*> OnSuddenEnd::Entry::newest{nullptr};
static_assert(std::atomic<void*>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

namespace {

void take(const EndStep& step) {
  switch (step.kind) {
    case EndStep::Kind::write:
      if (const int file = ::open(step.path.c_str(), O_WRONLY | O_CLOEXEC); file >= 0) {
        // An error cannot be reported any more.
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

OnSuddenEnd::OnSuddenEnd(std::vector<EndStep> steps) : entry_(new Entry{.steps = std::move(steps)}) {
  entry_->next = Entry::newest.load();
  while (!Entry::newest.compare_exchange_weak(entry_->next, entry_)) {
  }
}

OnSuddenEnd::OnSuddenEnd(OnSuddenEnd&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}

OnSuddenEnd& OnSuddenEnd::operator=(OnSuddenEnd&& other) noexcept {
  std::swap(entry_, other.entry_);
  return *this;
}

OnSuddenEnd::~OnSuddenEnd() {
  if (entry_ != nullptr) {
    entry_->wanted = false;
  }
}

void take_steps(const std::vector<EndStep>& steps) {
  for (const EndStep& step : steps) {
    take(step);
  }
}

void take_end_steps() {
  for (const OnSuddenEnd::Entry* entry = OnSuddenEnd::Entry::newest; entry != nullptr; entry = entry->next) {
    if (entry->wanted) {
      take_steps(entry->steps);
    }
  }
}

}  // namespace spillway
