#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "app/cli/cli.h"
#include "app/cli/printable.h"
#include "app/cli/shell_line.h"
#include "host/overdue_read.h"

namespace {

using spillway::ErrorKind;

// The exit status when nobody reads the rest of the output, as in `spillway list | head`: that of a program
// that SIGPIPE ends. No error is told.
constexpr int kReaderLeft = 128 + SIGPIPE;

std::vector<std::string> arguments(int argc, char** argv) {
  std::vector<std::string> list(argv + std::min(argc, 1), argv + argc);
  const std::string_view program = argc > 0 ? argv[0] : "";
  if (program.substr(program.find_last_of('/') + 1) == spillway::kSecondName) {
    list.emplace(list.begin(), spillway::kSecondName);
  }
  return list;
}

// Opens /dev/null in the place of each closed standard descriptor. Otherwise the next file that is opened
// would get its number, and printed output would end up in that file. The direction is the wrong one on
// purpose: reading stdin or writing stdout then reports an error.
void keep_standard_descriptors() {
  for (int number = 0; number <= 2; ++number) {
    if (::fcntl(number, F_GETFD) < 0 && errno == EBADF) {
      ::open("/dev/null", number == 0 ? O_WRONLY : O_RDONLY);
    }
  }
}

// Prints `message` to stderr as a single line, whatever it quotes. Returns the exit status of `kind`.
int complain(std::string_view message, ErrorKind kind) {
  std::fputs(fmt::format("spillway: {}\n", spillway::printable(message)).c_str(), stderr);
  return int(kind);
}

void tell_overdue(const spillway::OverdueRead& read) {
  std::fputs(fmt::format("{}spillway: {}; Ctrl-C ends the run and keeps what it has\n",
                         ::isatty(STDERR_FILENO) == 1 ? "\r\033[K" : "",
                         spillway::printable(spillway::describe(read)))
                 .c_str(),
             stderr);
}

int flush_output(int status) {
  errno = 0;
  const bool lost = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  if (lost && errno == EPIPE) {
    return kReaderLeft;
  }
  if (lost && status == 0) {
    return complain(fmt::format("stdout: the output cannot be written{}{}", errno == 0 ? "" : ": ",
                                errno == 0 ? "" : std::strerror(errno)),
                    ErrorKind::failed);
  }
  return status;
}

int run(int argc, char** argv) {
  spillway::CommandLine commands(
      "spillway",
      "A storage-tiering laboratory for mixture-of-experts models: how fast can a model decode when its\n"
      "experts live on an SSD, and where does the rest of the time go?",
      SPILLWAY_VERSION);
  const std::vector<std::string> list = arguments(argc, argv);
  spillway::Invocation invocation;
  invocation.command_line = "spillway " + spillway::shell_line(list);
  spillway::add_commands(commands.program(), invocation);

  const spillway::Result<bool> chosen = commands.parse(list);
  if (!chosen) {
    return complain(chosen.error().message, chosen.error().kind);
  }
  if (!*chosen) {
    return flush_output(0);
  }
  if (const spillway::Result<void> outcome = invocation.run(); !outcome) {
    return flush_output(complain(outcome.error().message, outcome.error().kind));
  }
  return flush_output(0);
}

}  // namespace

int main(int argc, char** argv) {
  keep_standard_descriptors();
  spillway::catch_interrupts();
  spillway::tell_overdue_reads(tell_overdue);
  try {
    return run(argc, argv);
  } catch (const std::system_error& problem) {
    // fmt throws this when stdout takes no more.
    if (problem.code() == std::errc::broken_pipe) {
      return kReaderLeft;
    }
    return complain(fmt::format("the output cannot be written: {}", problem.code().message()),
                    ErrorKind::failed);
  } catch (const std::exception& problem) {
    return complain(problem.what(), ErrorKind::failed);
  }
}
