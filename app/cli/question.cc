#include "app/cli/question.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>

#include "host/interrupt.h"

namespace spillway {

bool can_ask() {
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1;
}

bool asks_for_yes(const std::string& question) {
  fmt::print(stderr, "{} [y/N] ", question);
  std::fflush(stderr);
  std::string answer;
  // One byte at a time, so that nothing is taken of what follows the line.
  for (char byte = 0; ::read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n';) {
    answer += byte;
  }
  if (interrupted()) {
    fmt::print(stderr, "\n");
    return false;
  }
  return answer == "y" || answer == "Y" || answer == "yes" || answer == "Yes" || answer == "YES";
}

}  // namespace spillway
