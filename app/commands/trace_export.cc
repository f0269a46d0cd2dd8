#include <fmt/core.h>

#include <cstdio>

#include "app/cli/interruptible.h"
#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/commands/trace_commands.h"
#include "traces/export/export.h"
#include "traces/reader.h"

namespace spillway {
namespace {

struct ExportArguments {
  std::string input;
  std::string format = "csv";
  OutputOptions output;
};

Result<OutputFile> open_output(const OutputOptions& output) {
  return output.path == "-"
             ? OutputFile::standard_output()
             : OutputFile::create(output.path, OutputFile::Place::rename_when_done, output.force);
}

Result<void> export_as(const std::string& format, StepSource& source, const TraceHeader& header,
                       ByteSink out) {
  if (format == "csv") {
    return export_csv(source, header, out);
  }
  Result<MemoryTrace> trace = MemoryTrace::load(source);
  if (!trace) {
    return propagate(trace);
  }
  return export_oracle_general(*trace, out);
}

Result<void> run_export(const ExportArguments& arguments) {
  Result<std::unique_ptr<TraceReader>> reader = TraceReader::open(arguments.input);
  if (!reader) {
    return propagate(reader);
  }
  Result<OutputFile> file = open_output(arguments.output);
  if (!file) {
    return propagate(file);
  }
  // A long trace takes long to read and, once loaded, long to write; Ctrl-C ends both.
  Interruptible source(**reader, "the export");
  const auto sink = [&](std::span<const uint8_t> bytes) -> Result<void> {
    return interrupted() ? failed("the export was interrupted") : file->write(bytes);
  };
  if (Result<void> exported = export_as(arguments.format, source, (*reader)->header(), sink); !exported) {
    return exported;
  }
  if ((*reader)->truncated()) {
    note("{}: {}\n", printable(arguments.input), printable((*reader)->truncation()));
  }
  return file->finish();
}

}  // namespace

void add_trace_export(Command trace, Invocation& invocation) {
  Command command = trace.subcommand("export", "Write a trace in another project's format");
  auto arguments = std::make_shared<ExportArguments>();
  command.text("trace", arguments->input, "A trace file").required().type_name("TRACE");
  command.text("--to", arguments->format, "Format to write: csv (default) or oraclegeneral")
      .one_of({"csv", "oraclegeneral"})
      .type_name("FORMAT");
  arguments->output.declare(command);
  command.footer(
      "csv can be imported again. oraclegeneral is for libCacheSim: 24-byte records of\n"
      "time (the step), object (layer × experts + expert), size and next request. -o - writes to stdout.\n\n"
      "Example:\n  spillway trace export qwen.bin --to oraclegeneral -o qwen.oracleGeneral");
  command.runs(invocation, [arguments] { return run_export(*arguments); });
}

}  // namespace spillway
