#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/files.h"

// Runs the built program as a user would, without a terminal.
namespace spillway::test {

struct Ran {
  int status = -1;  // exit status; 128 + signal when killed
  std::string out;
  std::string err;
};

// A running program whose output goes to files.
class Program {
 public:
  explicit Program(const std::vector<std::string>& arguments) {
    std::vector<char*> argv;
    for (const std::string& argument : arguments) {
      argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    const std::string out = scratch_ / "out";
    const std::string err = scratch_ / "err";
    pid_ = fork();
    if (pid_ < 0) {
      std::abort();
    }
    if (pid_ == 0) {
      ::unsetenv("COLUMNS");  // output is as into a file, whatever terminal the tests were started from
      // A shell that starts the tests in the background has these signals ignored, and the program
      // would inherit that.
      for (const int number : {SIGINT, SIGQUIT, SIGHUP}) {
        ::signal(number, SIG_DFL);
      }
      if (std::freopen(out.c_str(), "w", stdout) == nullptr ||
          std::freopen(err.c_str(), "w", stderr) == nullptr) {
        _exit(126);
      }
      execv(argv.front(), argv.data());
      _exit(127);
    }
  }

  void signal(int number) const { kill(pid_, number); }

  // Returns once the program has a handler for the signal, or has ended.
  void wait_until_it_catches(int number) const {
    const std::string status = "/proc/" + std::to_string(pid_) + "/status";
    for (uint64_t caught = 0; (caught >> (number - 1) & 1) == 0;) {
      const std::string text = read_file(status);
      const size_t at = text.find("SigCgt:");
      if (at == std::string::npos || text.find("State:\tZ") != std::string::npos) {
        return;
      }
      caught = std::stoull(text.substr(at + 7), nullptr, 16);
    }
  }
  pid_t pid() const { return pid_; }
  std::string output_so_far() const { return read_file(scratch_ / "out"); }
  std::string errors_so_far() const { return read_file(scratch_ / "err"); }

  Ran wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_file(scratch_ / "out"),
            read_file(scratch_ / "err")};
  }

 private:
  TemporaryDirectory scratch_;
  pid_t pid_ = -1;
};

// This machine or its file system does not have what the run asked for.
inline bool is_unavailable(const Ran& ran) {
  return ran.status == 77 || (ran.status != 0 && ran.err.find("O_DIRECT") != std::string::npos);
}

// Ends the test as skipped, with what the run said.
#define SKIP_WHERE_UNAVAILABLE(ran) \
  if (is_unavailable(ran)) {        \
    GTEST_SKIP() << (ran).err;      \
  }

// pread:direct=1 as the name of a test: pread_direct_1.
inline std::string spelled_as_a_name(std::string text) {
  const auto is_sign = [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); };
  std::replace_if(text.begin(), text.end(), is_sign, '_');
  return text;
}

inline Ran spillway(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), SPILLWAY_BINARY);
  return Program(arguments).wait();
}

// True when the process has a file of more than 8 MiB open in `folder`, be it one without a name.
inline bool has_a_large_file_open(pid_t process, const std::string& folder) {
  namespace fs = std::filesystem;
  const std::string inside = fs::canonical(folder).string() + "/";
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(process) + "/fd", ignored)) {
    const bool is_inside = fs::read_symlink(entry.path(), ignored).native().starts_with(inside);
    if (is_inside && fs::file_size(entry.path(), ignored) > (8U << 20) && !ignored) {
      return true;
    }
  }
  return false;
}

// Sends Ctrl-C, or another signal, as soon as a large file is being written in `folder`.
inline Ran interrupt_once_it_writes(Program& program, const std::string& folder, int signal = SIGINT) {
  for (int i = 0; i < 1500 && !has_a_large_file_open(program.pid(), folder); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  program.signal(signal);
  return program.wait();
}

// Expects a refusal: its exit status and one line of error that contains each of `mentions`.
inline void expect_one_line(const Ran& ran, int status, const std::vector<std::string>& mentions) {
  EXPECT_EQ(ran.status, status) << ran.err;
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  for (const std::string& mention : mentions) {
    EXPECT_NE(ran.err.find(mention), std::string::npos) << "no '" << mention << "' in: " << ran.err;
  }
}

}  // namespace spillway::test
