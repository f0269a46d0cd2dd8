#include "app/page/figures.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "app/presets/installed.h"
#include "core/units.h"
#include "host/interrupt.h"

namespace spillway::page {
namespace {

namespace fs = std::filesystem;

constexpr int kUnavailable = 77;  // exit status of the scripts if matplotlib is not installed
constexpr int kNotStarted = 127;

// Memory that a child writes to as if it were a file. Unlike a pipe it has no limit, and it needs no disk.
class Capture {
 public:
  Capture() : fd_(::memfd_create("spillway-figure", MFD_CLOEXEC)) {}
  ~Capture() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  int fd() const { return fd_; }

  std::string text() const {
    constexpr uint64_t kMost = 64 * kMiB;
    const off_t end = ::lseek(fd_, 0, SEEK_END);
    std::string text(end > 0 ? std::min(uint64_t(end), kMost) : 0, '\0');
    const ssize_t got = ::pread(fd_, text.data(), text.size(), 0);
    text.resize(got > 0 ? size_t(got) : 0);
    return text;
  }

 private:
  int fd_;
};

struct Ran {
  int status = kNotStarted;
  std::string out;
  std::string err;
};

// Turns the child into the command `words`. Runs after fork(), so it may only call functions that are safe in
// a signal handler.
[[noreturn]] void become(char* const* words, int out, int err) {
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  ::execvp(words[0], words);
  ::_exit(kNotStarted);
}

// Waits for the child to end. A signal that asks this program to end is passed on to the child.
int wait_for(pid_t child) {
  int status = 0;
  bool asked = false;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) {
      return kNotStarted;
    }
    if (interrupted() && !asked) {
      asked = true;
      ::kill(child, SIGTERM);
    }
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Result<Ran> run(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  const Capture out;
  const Capture err;
  if (out.fd() < 0 || err.fd() < 0) {
    return failed("cannot get memory for a figure: {}", std::strerror(errno));
  }
  const pid_t child = ::fork();
  if (child < 0) {
    return failed("cannot start {}: {}", words.front(), std::strerror(errno));
  }
  if (child == 0) {
    become(argv.data(), out.fd(), err.fd());
  }
  const int status = wait_for(child);
  return Ran{status, out.text(), err.text()};
}

// Returns the last line of a program's error output, which has the reason why it gave up.
std::string last_line(std::string text) {
  while (text.ends_with('\n')) {
    text.pop_back();
  }
  return text.substr(text.find_last_of('\n') + 1);
}

std::string find_scripts(const std::string& directory) {
  std::vector<fs::path> places = {directory};
  if (const char* given = std::getenv("SPILLWAY_PLOTS"); given != nullptr) {
    places.emplace_back(given);
  }
  places.emplace_back(installed_folder("plots"));
  std::error_code problem;
  for (const fs::path& place : places) {
    if (!place.empty() && fs::exists(place / "figure.py", problem)) {
      return place.string();
    }
  }
  return "";
}

}  // namespace

FigureMaker::FigureMaker(const std::string& directory) : directory_(find_scripts(directory)) {
  // A user's own Python often comes first in $PATH and lacks modules that are installed for the system's.
  pythons_ = {"python3", "/usr/bin/python3"};
}

Result<std::string> FigureMaker::draw(const std::string& script, const std::vector<std::string>& inputs,
                                      const std::vector<std::string>& options) {
  if (directory_.empty()) {
    return unavailable("the scripts of plots/ were not found; set $SPILLWAY_PLOTS to their folder");
  }
  std::vector<std::string> words = {directory_ + "/" + script + ".py"};
  words.insert(words.end(), options.begin(), options.end());
  words.insert(words.end(), {"-o", "-", "--"});
  words.insert(words.end(), inputs.begin(), inputs.end());
  while (!pythons_.empty() && !interrupted()) {
    Result<std::string> svg = draw_with(pythons_.front(), words);
    if (svg || svg.error().kind != ErrorKind::unavailable) {
      return svg;
    }
    refusal_ = svg.error().message;
    pythons_.erase(pythons_.begin());  // this Python cannot draw any other figure either
  }
  return interrupted() ? failed("interrupted before the figure was drawn") : unavailable("{}", refusal_);
}

Result<std::string> FigureMaker::draw_with(const std::string& python, std::vector<std::string> words) {
  words.insert(words.begin(), python);
  Result<Ran> ran = run(std::move(words));
  if (!ran) {
    return propagate(ran);
  }
  if (ran->status == kNotStarted) {
    return unavailable("{} is not installed", python);
  }
  if (ran->status == kUnavailable) {
    return unavailable("{}", last_line(ran->err));
  }
  if (ran->status != 0) {
    return failed("{}", ran->err.empty() ? fmt::format("{} ended with status {}", python, ran->status)
                                         : last_line(ran->err));
  }
  return std::move(ran->out);
}

}  // namespace spillway::page
