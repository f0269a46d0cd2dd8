#include <fmt/format.h>

#include "app/cli/interruptible.h"
#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/commands/trace_commands.h"
#include "traces/preload.h"
#include "traces/reader.h"

namespace spillway {
namespace {

struct PreloadArguments {
  std::string input;
  std::string like;
  Bytes bytes{0};
  OutputOptions output;
};

// Counts how often each expert is chosen in the trace at `path`.
Result<StatsCollector> count_uses(const std::string& path) {
  Result<std::unique_ptr<TraceReader>> reader = TraceReader::open(path, TraceColumns{});
  if (!reader) {
    return propagate(reader);
  }
  StatsCollector seen((*reader)->header().geometry);
  Interruptible steps(**reader, fmt::format("reading {}", path));
  Result<void> read = seen.observe_all(steps);
  return read ? Result<StatsCollector>(std::move(seen)) : propagate(read);
}

Result<void> check_same_model(const PreloadArguments& arguments, const ModelGeometry& geometry) {
  Result<std::unique_ptr<TraceReader>> reader = TraceReader::open(arguments.like, TraceColumns{});
  if (!reader) {
    return propagate(reader);
  }
  const ModelGeometry& other = (*reader)->header().geometry;
  if (other.layers != geometry.layers || other.experts_per_layer != geometry.experts_per_layer) {
    return failed("{} has {} layers × {} experts, but {} has {} × {}", arguments.like, other.layers,
                  other.experts_per_layer, arguments.input, geometry.layers, geometry.experts_per_layer);
  }
  return {};
}

Result<void> run_preload(const PreloadArguments& arguments, const std::string& command_line) {
  if (Result<void> file = arguments.output.check_binary(); !file) {
    return file;
  }
  Result<std::unique_ptr<TraceReader>> reader = TraceReader::open(arguments.input);
  if (!reader) {
    return propagate(reader);
  }
  TraceHeader header = (*reader)->header();
  if (Result<void> same = check_same_model(arguments, header.geometry); !same) {
    return same;
  }
  Result<StatsCollector> seen = count_uses(arguments.like);
  if (!seen) {
    return propagate(seen);
  }
  std::vector<std::vector<ExpertId>> experts = most_popular(header.geometry, *seen, arguments.bytes.count);
  size_t count = 0;
  for (const std::vector<ExpertId>& layer : experts) {
    count += layer.size();
  }
  if (count == 0) {
    return wrong_usage("--bytes {}: not even one expert of {} fits", exact_bytes(arguments.bytes),
                       format_bytes(header.geometry.largest_expert_bytes()));
  }
  header.provenance.emplace_back("preloads", arguments.like);
  header.provenance.emplace_back("preload_command", command_line);
  Result<std::unique_ptr<TraceWriter>> writer = create_trace(arguments.output, header);
  if (!writer) {
    return propagate(writer);
  }
  PreloadSource source(**reader, std::move(experts));
  if (Result<void> copied = copy_steps(source, **writer); !copied) {
    return copied;
  }
  note("{}: begins with {} of {} experts\n", printable(arguments.output.path), count,
       header.geometry.expert_count());
  return finish_trace(**writer, arguments.output);
}

}  // namespace

void add_trace_preload(Command trace, Invocation& invocation) {
  Command command =
      trace.subcommand("preload", "Put a pass that loads the most popular experts in front of a trace");
  auto arguments = std::make_shared<PreloadArguments>();
  command.text("trace", arguments->input, "A trace file").required().type_name("TRACE");
  command
      .text("--like", arguments->like, "Trace from which popularity is counted; not the one that is measured")
      .required()
      .type_name("TRACE");
  command.size("--bytes", arguments->bytes, "Bytes of experts to load: at most the size of the cache")
      .required();
  arguments->output.declare(command);
  command.footer(
      "The pass counts as prefill, so a report shows both what filling the cache cost and what decode\n"
      "gained from it.\n\n"
      "Example:\n"
      "  spillway trace preload evening.bin --like morning.bin --bytes 4GB -o seeded.bin\n"
      "  spillway replay seeded.bin --cache 4GB");
  command.runs(invocation,
               [arguments, &invocation] { return run_preload(*arguments, invocation.command_line); });
}

}  // namespace spillway
