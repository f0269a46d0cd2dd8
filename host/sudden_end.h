#pragma once

#include <atomic>
#include <string>
#include <vector>

namespace spillway {

// One action to take when the process ends without running its destructors. A step that fails is skipped.
struct EndStep {
  enum class Kind { write, unlink, rmdir };
  Kind kind{};
  std::string path;
  std::string text = {};  // for write: the text, which is written into an existing file
};

// Carries out `steps` if a signal ends the process while this object exists, so that no half-written file or
// cgroup is left behind. A signal handler does the work: it cannot catch SIGKILL, and a step is one of the
// kinds of EndStep. Each object costs a few hundred bytes until the process ends, so use one per file, not
// per read.
class OnSuddenEnd {
 public:
  OnSuddenEnd() = default;
  explicit OnSuddenEnd(std::vector<EndStep> steps);
  OnSuddenEnd(OnSuddenEnd&& other) noexcept;
  OnSuddenEnd& operator=(OnSuddenEnd&& other) noexcept;
  ~OnSuddenEnd();

 private:
  std::atomic<bool>* wanted_ = nullptr;
};

// Takes `steps` now, in order.
void take_steps(const std::vector<EndStep>& steps);

// Takes the steps of every existing OnSuddenEnd. Async-signal-safe. The process must end right afterwards.
void take_end_steps();

}  // namespace spillway
