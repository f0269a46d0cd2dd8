#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/cli/command.h"
#include "host/interrupt.h"

namespace spillway {

// `replay ARGS` is `spillway replay ARGS`: the program under this name runs the command of that name.
inline constexpr std::string_view kSecondName = "replay";

void add_list_command(Command app, Invocation& invocation);
void add_trace_commands(Command app, Invocation& invocation);
void add_replay_command(Command app, Invocation& invocation);
void add_record_command(Command app, Invocation& invocation);
void add_perplexity_command(Command app, Invocation& invocation);
void add_simulate_command(Command app, Invocation& invocation);
void add_calibrate_command(Command app, Invocation& invocation);
void add_gap_command(Command app, Invocation& invocation);
void add_curve_command(Command app, Invocation& invocation);
void add_report_command(Command app, Invocation& invocation);
void add_pack_command(Command app, Invocation& invocation);
void add_quantize_command(Command app, Invocation& invocation);
void add_plan_command(Command app, Invocation& invocation);
void add_sweep_command(Command app, Invocation& invocation);
void add_compare_command(Command app, Invocation& invocation);
void add_man_command(Command app, Invocation& invocation);
void add_completion_commands(Command app, Invocation& invocation);

// Every command there is.
void add_commands(Command app, Invocation& invocation);

// `lru,lfu:halve_every=9,keep=0,belady` → its members: a piece that is only `key=value` goes on with the one
// before.
std::vector<std::string> split_list(const std::string& text);

// Has signals ask for the end (core/interrupt.h). A second one ends the process at once, without destructors,
// but not without what OnSuddenEnd promises; so does a crash.
void catch_interrupts();

}  // namespace spillway
