#include "app/trace/trace_info.h"

#include <fmt/core.h>

#include <cstdio>

#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/commands/trace_commands.h"
#include "app/report/report.h"
#include "core/json.h"

namespace spillway {
namespace {

struct InfoArguments {
  std::string path;
  std::string json_path;
  bool per_layer = false;
};

Result<void> run_info(const InfoArguments& arguments) {
  if (Result<void> writable = check_json_path(arguments.json_path, arguments.path); !writable) {
    return writable;
  }
  Result<TraceInfo> info = describe_trace(arguments.path);
  if (!info) {
    return propagate(info);
  }
  if (!info->truncation.empty()) {
    note("{}: {}\n", printable(info->path), printable(info->truncation));
  }
  Result<void> written;
  if (!arguments.json_path.empty()) {
    written = write_json(to_json(*info), arguments.json_path);
  }
  if (arguments.json_path != "-") {
    fmt::print("{}{}", to_table(*info), arguments.per_layer ? layers_table(*info) : "");
  }
  return written;
}

}  // namespace

void add_trace_info(Command trace, Invocation& invocation) {
  Command command = trace.subcommand("info", "Show what a trace holds, and how much of it repeats");
  auto arguments = std::make_shared<InfoArguments>();
  command.text("trace", arguments->path, "A trace file").required().type_name("TRACE");
  command
      .output("--json", arguments->json_path,
              "Write the figures as JSON to this file; - writes them to stdout instead of the table")
      .type_name("FILE");
  command.flag("--layers", arguments->per_layer, "Add a line for each layer");
  command.footer("Example:\n  spillway trace info qwen.bin --layers");
  command.runs(invocation, [arguments] { return run_info(*arguments); });
}

}  // namespace spillway
