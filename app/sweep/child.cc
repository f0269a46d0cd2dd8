#include "app/sweep/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "core/units.h"
#include "host/interrupt.h"

namespace spillway {
namespace {

using Instant = std::chrono::steady_clock::time_point;

// The child writes its report into a pipe with this descriptor number, so that the report is never on a disk.
constexpr int kReportNumber = 3;
constexpr const char* kReportPath = "/dev/fd/3";

constexpr size_t kMostText = 64 * kKiB;
constexpr size_t kMostReport = 256 * kMiB;

// Seconds that a child has to end after it was asked to. A child normally ends within a step; after this time
// it hangs and is killed.
constexpr double kPatience = 10;

// A pipe. The destructor closes the ends that are still open.
class Pipe {
 public:
  Pipe() = default;
  ~Pipe() {
    close_end(ends_[0]);
    close_end(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  bool open() { return ::pipe2(ends_.data(), O_CLOEXEC) == 0; }
  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void close_reader() { close_end(ends_[0]); }
  void close_writer() { close_end(ends_[1]); }

 private:
  static void close_end(int& end) {
    if (end >= 0) {
      ::close(end);
    }
    end = -1;
  }

  std::array<int, 2> ends_ = {-1, -1};
};

enum Stream : size_t { kOutput, kComplaint, kReport, kStreams };
using Pipes = std::array<Pipe, kStreams>;

// Turns the child into the command `words`. Runs after fork(), so it may only call functions that are safe in
// a signal handler. The descriptors of the pipes are above the numbers that they are copied to: main() keeps
// 0 to 2 open, and the report's pipe, which may have the number 3, is moved above it first.
[[noreturn]] void become(char* const* words, const Pipes& pipes, pid_t parent) {
#ifdef __linux__
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // without prctl(), a run outlives a sweep that is killed
#endif
  if (::getppid() != parent) {
    ::_exit(1);  // the parent ended before the call of prctl(), so no signal will come
  }
  const int report = ::fcntl(pipes[kReport].writer(), F_DUPFD, kReportNumber + 1);
  ::dup2(pipes[kOutput].writer(), STDOUT_FILENO);
  ::dup2(pipes[kComplaint].writer(), STDERR_FILENO);
  ::dup2(report, kReportNumber);
  ::close(report);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::close(nothing);
  ::execv("/proc/self/exe", words);
  ::_exit(127);
}

// Appends `data` to `text`. A text is cut down to its end once it is long; a report, whose limit is
// kMostReport, is kept whole.
void append(std::string& text, const char* data, size_t bytes, size_t most) {
  text.append(data, bytes);
  if (most == kMostText && text.size() > 2 * most) {
    text.erase(0, text.size() - most);
  }
}

using Block = std::array<char, 64 * kKiB>;

// Reads the available bytes from the pipe, and closes the pipe at its end. Returns the bytes, which lie in
// `block`.
std::string_view take(Pipe& pipe, std::string& into, size_t most, Block& block) {
  const ssize_t got = ::read(pipe.reader(), block.data(), block.size());
  if (got > 0 && into.size() <= most * 2) {
    append(into, block.data(), size_t(got), most);
  } else if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) {
    pipe.close_reader();
  }
  return {block.data(), size_t(std::max<ssize_t>(got, 0))};
}

// Cuts a stream of bytes into lines.
class Lines {
 public:
  explicit Lines(FunctionRef<void(std::string_view line)> hear) : hear_(hear) {}

  void add(std::string_view bytes) {
    for (const char byte : bytes) {
      if (byte == '\n') {
        hear_(line_);
        line_.clear();
      } else if (line_.size() < kMostText) {
        line_ += byte;
      }
    }
  }

 private:
  FunctionRef<void(std::string_view line)> hear_;
  std::string line_;
};

double seconds_since(Instant start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Asks the child to end if this program is interrupted or the child's time is up. Kills the child if it does
// not end within kPatience.
class Deadline {
 public:
  Deadline(pid_t child, double timeout_s) : child_(child), timeout_s_(timeout_s) {}

  void check() {
    const double now = seconds_since(start_);
    if (!asked_ && (interrupted() || (timeout_s_ > 0 && now > timeout_s_))) {
      timed_out_ = !interrupted();
      asked_ = true;
      asked_at_ = now;
      ::kill(child_, SIGTERM);
    }
    if (asked_ && now > asked_at_ + kPatience) {
      ::kill(child_, SIGKILL);
    }
  }

  bool timed_out() const { return timed_out_; }
  double elapsed() const { return seconds_since(start_); }

 private:
  pid_t child_;
  double timeout_s_;
  Instant start_ = std::chrono::steady_clock::now();
  bool asked_ = false;
  bool timed_out_ = false;
  double asked_at_ = 0;
};

void listen(Pipes& pipes, ChildRun& run, Deadline& deadline, FunctionRef<void(std::string_view line)> hear) {
  Lines lines(hear);
  Block block;
  const std::array<std::pair<std::string*, size_t>, kStreams> into = {
      {{&run.output, kMostText}, {&run.complaint, kMostText}, {&run.report, kMostReport}}};
  for (;;) {
    std::array<pollfd, kStreams> waiting{};
    bool any = false;
    for (size_t i = 0; i < kStreams; ++i) {
      waiting[i] = {pipes[i].reader(), POLLIN, 0};  // poll() ignores the descriptor -1 of a closed pipe
      any = any || pipes[i].reader() >= 0;
    }
    if (!any) {
      return;
    }
    constexpr int kLookAroundMs = 100;
    ::poll(waiting.data(), waiting.size(), kLookAroundMs);
    deadline.check();
    for (size_t i = 0; i < kStreams; ++i) {
      if (waiting[i].revents != 0) {
        const std::string_view bytes = take(pipes[i], *into[i].first, into[i].second, block);
        if (i == kComplaint) {
          lines.add(bytes);
        }
      }
    }
  }
}

// Waits for the child to end and returns its exit status. The child has closed its pipes, so it should end
// soon; the deadline still applies in case it hangs.
int wait_for(pid_t child, Deadline& deadline) {
  int status = 0;
  for (;;) {
    const pid_t gone = ::waitpid(child, &status, WNOHANG);
    if (gone == child || (gone < 0 && errno != EINTR)) {
      break;
    }
    deadline.check();
    ::poll(nullptr, 0, 5);
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Result<ChildRun> run_child(const std::vector<std::string>& words, bool wants_report, double timeout_s,
                           FunctionRef<void(std::string_view line)> hear) {
  std::vector<std::string> all = {"spillway"};
  all.insert(all.end(), words.begin(), words.end());
  if (wants_report) {
    all.insert(all.end(), {"--json", kReportPath});
  }
  std::vector<char*> argv;
  for (std::string& word : all) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  Pipes pipes;
  for (Pipe& pipe : pipes) {
    if (!pipe.open()) {
      return failed("cannot make a pipe: {}", std::strerror(errno));
    }
  }
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) {
    return failed("cannot start a process: {}", std::strerror(errno));
  }
  if (child == 0) {
    become(argv.data(), pipes, parent);
  }
  Deadline deadline(child, timeout_s);
  for (Pipe& pipe : pipes) {
    pipe.close_writer();
  }
  ChildRun run;
  listen(pipes, run, deadline, hear);
  run.status = wait_for(child, deadline);
  run.wall_s = deadline.elapsed();
  run.timed_out = deadline.timed_out();
  return run;
}

}  // namespace spillway
