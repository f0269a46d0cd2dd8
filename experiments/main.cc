#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/cli.h"

namespace {

// `replay ARGS` is `spillway replay ARGS`.
std::vector<std::string> arguments(int argc, char** argv) {
  std::vector<std::string> list(argv + 1, argv + argc);
  const std::string_view program = argv[0];
  if (program.substr(program.find_last_of('/') + 1) == "replay") {
    list.insert(list.begin(), "replay");
  }
  return list;
}

int run(int argc, char** argv) {
  using spillway::ErrorKind;
  CLI::App app(
      "A storage-tiering laboratory for mixture-of-experts models: how fast can a model decode when its\n"
      "experts live on an SSD, and where does the rest of the time go?");
  app.name("spillway");
  app.require_subcommand(1);
  app.set_version_flag("--version", SPILLWAY_VERSION);

  std::vector<std::string> list = arguments(argc, argv);
  spillway::Invocation invocation;
  invocation.command_line = fmt::format("spillway {}", fmt::join(list, " "));
  spillway::add_replay_command(app, invocation);
  spillway::add_simulate_command(app, invocation);
  spillway::add_curve_command(app, invocation);
  spillway::add_trace_commands(app, invocation);
  spillway::add_list_command(app, invocation);

  try {
    std::reverse(list.begin(), list.end());  // the order in which CLI11 takes a vector
    app.parse(list);
  } catch (const CLI::ParseError& problem) {
    const bool asked_for_help = problem.get_exit_code() == int(CLI::ExitCodes::Success);
    app.exit(problem);
    return asked_for_help ? 0 : int(ErrorKind::usage);
  }
  spillway::catch_interrupts();
  if (const spillway::Result<void> outcome = invocation.run(); !outcome) {
    fmt::print(stderr, "spillway: {}\n", outcome.error().message);
    return int(outcome.error().kind);
  }
  if (std::fflush(stdout) != 0) {
    fmt::print(stderr, "spillway: stdout: the output cannot be written: {}\n", std::strerror(errno));
    return int(ErrorKind::failed);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& problem) {
    fmt::print(stderr, "spillway: {}\n", problem.what());
    return 1;
  }
}
