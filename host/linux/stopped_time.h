#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/units.h"

namespace spillway {

// Measures for how long this process did not run although it could have: it was stopped by a signal, its
// control group was frozen, or the machine was suspended. A thread wakes up ten times a second and sees the
// gaps. Waiting for a busy processor does not count, where the kernel reports that wait.
class StoppedTime {
 public:
  StoppedTime();
  ~StoppedTime();
  StoppedTime(const StoppedTime&) = delete;
  StoppedTime& operator=(const StoppedTime&) = delete;

  // Returns the time since the object was made; stops of less than a third of a second are not seen.
  Nanoseconds total();

 private:
  void watch();

  std::mutex mutex_;
  std::condition_variable end_wanted_;
  bool ending_ = false;
  Nanoseconds total_{0};
  std::thread thread_;  // last: it uses the members above
};

}  // namespace spillway
