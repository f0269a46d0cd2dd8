#include "host/sudden_end.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "host/signal_list.h"

namespace spillway {

namespace {

constinit SignalList<std::vector<EndStep>> watched;

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

OnSuddenEnd::OnSuddenEnd(std::vector<EndStep> steps) : wanted_(&watched.add(std::move(steps))->wanted) {}

OnSuddenEnd::OnSuddenEnd(OnSuddenEnd&& other) noexcept : wanted_(std::exchange(other.wanted_, nullptr)) {}

OnSuddenEnd& OnSuddenEnd::operator=(OnSuddenEnd&& other) noexcept {
  std::swap(wanted_, other.wanted_);
  return *this;
}

OnSuddenEnd::~OnSuddenEnd() {
  if (wanted_ != nullptr) {
    *wanted_ = false;
  }
}

void take_steps(const std::vector<EndStep>& steps) {
  for (const EndStep& step : steps) {
    take(step);
  }
}

void take_end_steps() {
  watched.each([](const std::vector<EndStep>& steps) { take_steps(steps); });
}

}  // namespace spillway
