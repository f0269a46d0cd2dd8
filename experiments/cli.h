#pragma once

#include <CLI/CLI.hpp>
#include <concepts>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "core/interrupt.h"
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
void add_record_command(CLI::App& app, Invocation& invocation);
void add_perplexity_command(CLI::App& app, Invocation& invocation);
void add_simulate_command(CLI::App& app, Invocation& invocation);
void add_curve_command(CLI::App& app, Invocation& invocation);
void add_pack_command(CLI::App& app, Invocation& invocation);

// The first of `words` that is no command of `app` and should be one, or that none is given, as an error that
// names those there are. Nothing when the commands are right.
Result<void> check_commands(const CLI::App& app, const std::vector<std::string>& words);

// An option whose text is a size like `10GB`. Its value is left alone when the option is absent.
CLI::Option* add_size(CLI::App& app, const std::string& name, Bytes& value, const std::string& help);

// What a number may be, both ends included.
struct CountRange {
  uint64_t least = 0;
  uint64_t most = std::numeric_limits<uint64_t>::max();
};
struct RealRange {
  double least = 0;
  double most = 0;
};

// CLI11 reads numbers as C does: -1 as 18446744073709551615, 010 as 8, nan as a number within every range.
Result<uint64_t> parse_count(const std::string& text, CountRange range);
Result<double> parse_real(const std::string& text, RealRange range);

// Options whose text is a whole or a real number within a range.
CLI::Option* add_count_function(CLI::App& app, const std::string& name, CountRange range,
                                std::function<void(uint64_t)> set, const std::string& help);
CLI::Option* add_real(CLI::App& app, const std::string& name, RealRange range, double& value,
                      const std::string& help);

template <std::unsigned_integral T>
CLI::Option* add_count(CLI::App& app, const std::string& name, CountRange range, T& value,
                       const std::string& help) {
  range.most = std::min<uint64_t>(range.most, std::numeric_limits<T>::max());
  return add_count_function(
      app, name, range, [&value](uint64_t count) { value = T(count); }, help);
}

inline CLI::Option* add_count(CLI::App& app, const std::string& name, CountRange range,
                              std::optional<uint64_t>& value, const std::string& help) {
  return add_count_function(
      app, name, range, [&value](uint64_t count) { value = count; }, help);
}

// `lru,lfu:halve_every=9,keep=0,belady` → its members: a piece that is only `key=value` goes on with the one
// before.
std::vector<std::string> split_list(const std::string& text);

// Has signals ask for the end (core/interrupt.h). A second one ends the process at once, without destructors,
// but not without what OnSuddenEnd promises; so does a crash.
void catch_interrupts();

}  // namespace spillway
