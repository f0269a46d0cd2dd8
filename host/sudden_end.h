#pragma once

#include <string>
#include <vector>

namespace spillway {

// One thing to do when the process ends without running its destructors. A step that fails is passed over.
struct EndStep {
  enum class Kind { write, unlink, rmdir };
  Kind kind{};
  std::string path;
  std::string text = {};  // what is written, into a file that exists
};

// While it lives, a signal that ends the process at once takes `steps` first: half a file or a cgroup must
// not outlive us. What it can do is what a signal handler can: nothing for SIGKILL, and only these kinds of
// step. Each costs its few hundred bytes until the process ends, so it is for files, not for reads.
class OnSuddenEnd {
 public:
  OnSuddenEnd() = default;
  explicit OnSuddenEnd(std::vector<EndStep> steps);
  OnSuddenEnd(OnSuddenEnd&& other) noexcept;
  OnSuddenEnd& operator=(OnSuddenEnd&& other) noexcept;
  ~OnSuddenEnd();

 private:
  struct Entry;
  friend void take_end_steps();

  Entry* entry_ = nullptr;
};

// Takes them now, in order.
void take_steps(const std::vector<EndStep>& steps);

// Takes the steps of every OnSuddenEnd there is. Async-signal-safe; the process is to end right after.
void take_end_steps();

}  // namespace spillway
