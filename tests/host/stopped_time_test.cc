#include "host/linux/stopped_time.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <vector>

#include "host/linux/cgroup.h"
#include "host/posix_file.h"

namespace spillway {
namespace {

using std::chrono::milliseconds;

// A child process that watches itself for `span`, with `busy` threads that compute.
class Watched {
 public:
  Watched(milliseconds span, int busy) {
    pid_ = ::fork();
    if (pid_ == 0) {
      ::_exit(tenths_of_a_second(span, busy));
    }
  }

  pid_t pid() const { return pid_; }

  // Returns for how long it saw itself stopped, in seconds.
  double stopped() const {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return WIFEXITED(status) ? double(WEXITSTATUS(status)) / 10 : -1;
  }

 private:
  static int tenths_of_a_second(milliseconds span, int busy) {
    StoppedTime stopped;
    std::atomic<bool> over = false;
    std::vector<std::thread> threads;
    for (int i = 0; i < busy; ++i) {
      threads.emplace_back([&] {
        while (!over) {
        }
      });
    }
    std::this_thread::sleep_for(span);
    over = true;
    for (std::thread& thread : threads) {
      thread.join();
    }
    std::this_thread::sleep_for(milliseconds(150));
    return int(stopped.total() / milliseconds(100));
  }

  pid_t pid_ = -1;
};

TEST(StoppedTimeTest, is_that_between_two_signals) {
  const Watched child(milliseconds(600), 0);
  std::this_thread::sleep_for(milliseconds(200));
  ::kill(child.pid(), SIGSTOP);
  std::this_thread::sleep_for(milliseconds(1200));
  ::kill(child.pid(), SIGCONT);
  EXPECT_NEAR(child.stopped(), 1.1, 0.35);
}

TEST(StoppedTimeTest, adds_up_several_stops) {
  const Watched child(milliseconds(1500), 1);
  for (int i = 0; i < 2; ++i) {
    std::this_thread::sleep_for(milliseconds(200));
    ::kill(child.pid(), SIGSTOP);
    std::this_thread::sleep_for(milliseconds(700));
    ::kill(child.pid(), SIGCONT);
  }
  EXPECT_NEAR(child.stopped(), 1.2, 0.5);
}

TEST(StoppedTimeTest, is_none_on_a_busy_machine) {
  EXPECT_EQ(Watched(milliseconds(1500), 16).stopped(), 0);
}

// A control group that can be frozen; not made where this user may not.
class Freezer {
 public:
  Freezer() {
    const std::optional<OwnCgroup> own = own_cgroup("freezer");
    const std::string path =
        own ? own->directory + "/spillway-freeze-" + std::to_string(::getpid()) : std::string();
    if (own && ::mkdir(path.c_str(), 0755) == 0) {
      path_ = path;
      version_ = own->version;
    }
  }
  ~Freezer() { ::rmdir(path_.c_str()); }
  Freezer(const Freezer&) = delete;
  Freezer& operator=(const Freezer&) = delete;

  bool holds(pid_t process) const {
    return !path_.empty() && write_text(path_ + "/cgroup.procs", std::to_string(process)) == 0;
  }
  bool freeze(bool on) const {
    return version_ == 1 ? write_text(path_ + "/freezer.state", on ? "FROZEN" : "THAWED") == 0
                         : write_text(path_ + "/cgroup.freeze", on ? "1" : "0") == 0;
  }

 private:
  std::string path_;
  int version_ = 0;
};

TEST(StoppedTimeTest, is_that_of_a_frozen_group) {
  const Freezer freezer;
  const Watched child(milliseconds(600), 0);
  const bool held = freezer.holds(child.pid());
  std::this_thread::sleep_for(milliseconds(200));
  const bool frozen = held && freezer.freeze(true);
  std::this_thread::sleep_for(milliseconds(frozen ? 1200 : 0));
  if (frozen) {
    freezer.freeze(false);
  }
  const double stopped = child.stopped();
  if (!frozen) {
    GTEST_SKIP() << "this user may not freeze a control group";
  }
  EXPECT_NEAR(stopped, 1.1, 0.35);
}

}  // namespace
}  // namespace spillway
