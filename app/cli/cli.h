#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/cli/command.h"
#include "host/interrupt.h"

namespace spillway {

// `replay ARGS` means `spillway replay ARGS`: the program under this name runs the command of this name.
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
void add_cache_commands(Command app, Invocation& invocation);
void add_pack_command(Command app, Invocation& invocation);
void add_quantize_command(Command app, Invocation& invocation);
void add_plan_command(Command app, Invocation& invocation);
void add_sweep_command(Command app, Invocation& invocation);
void add_compare_command(Command app, Invocation& invocation);
void add_man_command(Command app, Invocation& invocation);
void add_completion_commands(Command app, Invocation& invocation);

// Declares every command of the program.
void add_commands(Command app, Invocation& invocation);

// Splits `lru,lfu:halve_every=9,keep=0,belady` into its members. A piece that is only `key=value` belongs to
// the member before it. With `names`, so does a single word that is none of them if that member has options,
// such as the switch `sqpoll` in `uring:depth=8,sqpoll`. Any other piece is a member.
std::vector<std::string> split_list(const std::string& text, const std::vector<std::string>& names = {});

// Makes signals ask for the end (core/interrupt.h). A second signal ends the process at once, without
// destructors, but still takes the steps that OnSuddenEnd promises. A crash takes them too.
void catch_interrupts();

}  // namespace spillway
