#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/units.h"

namespace spillway {

// What the command line asked for. Each add_* function in commands/ declares one subcommand with its options,
// and in that subcommand's callback sets `run`; main calls it after parsing and turns its error into the exit
// status.
struct Invocation {
  std::function<Result<void>()> run;
  std::string command_line;  // as typed, for the report
};

void add_list_command(CLI::App& app, Invocation& invocation);
void add_trace_commands(CLI::App& app, Invocation& invocation);
void add_replay_command(CLI::App& app, Invocation& invocation);
void add_simulate_command(CLI::App& app, Invocation& invocation);
void add_curve_command(CLI::App& app, Invocation& invocation);

// An option whose text is a size like `10GB`. Its value is left alone when the option is absent.
CLI::Option* add_size(CLI::App& app, const std::string& name, Bytes& value, const std::string& help);

// `lru,lfu:halve_every=9,keep=0,belady` → its members: a piece that is only `key=value` goes on with the one
// before.
std::vector<std::string> split_list(const std::string& text);

// True once Ctrl-C or SIGTERM asked for the end: loops stop at the next step and report what they have.
bool interrupted();
void catch_interrupts();

}  // namespace spillway
