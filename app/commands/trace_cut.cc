#include <fmt/core.h>

#include <charconv>

#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/commands/trace_commands.h"
#include "traces/cut.h"
#include "traces/limit.h"
#include "traces/reader.h"

namespace spillway {
namespace {

struct CutArguments {
  std::string input;
  uint64_t tokens = UINT64_MAX;
  std::string passes;
  std::string sequences;
  Bytes expert_bytes{0};  // 0: the trace's own
  OutputOptions output;
};

// Parses `3:10`, `3:`, `:10` or `7`; first and last are both included.
Result<CutRange> parse_range(const std::string& text) {
  CutRange range;
  const size_t colon = text.find(':');
  const auto read = [](std::string_view part, uint64_t& value) {
    const auto [end, problem] = std::from_chars(part.data(), part.data() + part.size(), value);
    return part.empty() || (problem == std::errc{} && end == part.data() + part.size());
  };
  const std::string_view all = text;
  bool good = read(all.substr(0, colon), range.first);
  if (colon == std::string::npos) {
    range.last = text.empty() ? range.last : range.first;
  } else {
    good = good && read(all.substr(colon + 1), range.last);
  }
  if (!good || range.first > range.last) {
    return wrong_usage("'{}' is not a range; write it like 3:10, 3:, :10 or 7", text);
  }
  return range;
}

Result<void> run_cut(const CutArguments& arguments, const std::string& command_line) {
  Result<CutRange> passes = parse_range(arguments.passes);
  Result<CutRange> sequences = parse_range(arguments.sequences);
  if (!passes || !sequences) {
    return propagate(passes ? sequences : passes);
  }
  if (Result<void> other = arguments.output.check_binary(); !other) {
    return other;
  }
  Result<std::unique_ptr<TraceReader>> reader = TraceReader::open(arguments.input);
  if (!reader) {
    return propagate(reader);
  }
  TraceHeader header = (*reader)->header();
  header.provenance.emplace_back("cut_from", arguments.input);
  header.provenance.emplace_back("cut_command", command_line);
  if (arguments.expert_bytes.count > 0) {
    for (uint64_t& bytes : header.geometry.expert_bytes) {
      bytes = bytes == 0 ? 0 : arguments.expert_bytes.count;  // 0: the layer has no experts
    }
    if (Result<void> valid = header.geometry.validate(); !valid) {
      return wrong_usage("--expert-bytes {}: {}", exact_bytes(arguments.expert_bytes), valid.error().message);
    }
  }
  Result<std::unique_ptr<TraceWriter>> writer = create_trace(arguments.output, header);
  if (!writer) {
    return propagate(writer);
  }
  CutSource range(**reader, *passes, *sequences);
  LimitedSource limited(range, arguments.tokens);
  if (Result<void> copied = copy_steps(limited, **writer); !copied) {
    return copied;
  }
  if ((*reader)->truncated()) {
    note("{}: {}\n", printable(arguments.input), printable((*reader)->truncation()));
  }
  if ((*writer)->steps() == 0) {
    return failed("{}: has no steps in these ranges; nothing was written", arguments.input);
  }
  return finish_trace(**writer, arguments.output);
}

}  // namespace

void add_trace_cut(Command trace, Invocation& invocation) {
  Command command = trace.subcommand("cut", "Take a part of a trace, or the intact part of a broken one");
  auto arguments = std::make_shared<CutArguments>();
  command.text("trace", arguments->input, "A trace file").required().type_name("TRACE");
  command.count("--tokens", {.least = 1}, arguments->tokens,
                "Keep the first N decode passes, and the prefill before them");
  command.text("--passes", arguments->passes, "Keep the passes FIRST:LAST, both included").type_name("RANGE");
  command.text("--sequences", arguments->sequences, "Keep the sequences FIRST:LAST, both included")
      .type_name("RANGE");
  command.size("--expert-bytes", arguments->expert_bytes,
               "Make every expert this large: the same choices in a wider model or at other bit widths");
  arguments->output.declare(command);
  command.footer(
      "Passes and sequences keep their numbers. Without a range, a recording that was cut off becomes a\n"
      "finished one.\n\n"
      "Examples:\n"
      "  spillway trace cut qwen.bin --tokens 32 -o qwen-32.bin\n"
      "  spillway trace cut small.bin --expert-bytes 1.2MB -o as-if-large.bin");
  command.runs(invocation, [arguments, &invocation] { return run_cut(*arguments, invocation.command_line); });
}

}  // namespace spillway
