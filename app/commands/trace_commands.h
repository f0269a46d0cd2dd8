#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/cli/cli.h"
#include "app/cli/progress.h"
#include "app/presets/presets.h"
#include "core/ports.h"
#include "traces/format.h"
#include "traces/import/import.h"
#include "traces/writer.h"

// Everything that the `spillway trace …` commands share.
namespace spillway {

void add_trace_info(Command trace, Invocation& invocation);
void add_trace_import(Command trace, Invocation& invocation);
void add_trace_export(Command trace, Invocation& invocation);
void add_trace_cut(Command trace, Invocation& invocation);
void add_trace_synth(Command trace, Invocation& invocation);
void add_trace_preload(Command trace, Invocation& invocation);

// The output of a command: -o FILE and --force.
struct OutputOptions {
  std::string path;
  bool force = false;

  void declare(Command command);

  // Refuses stdout, since a trace is binary.
  Result<void> check_binary() const;
};

// The model behind a trace, by preset or by numbers. A number overrides the preset's.
struct ModelOptions {
  std::string preset;
  std::string presets_directory;
  uint32_t layers = 0;  // 0: not given
  uint32_t experts = 0;
  uint32_t top_k = 0;
  uint32_t native_top_k = 0;
  Bytes expert_bytes;

  std::vector<Option> declare(Command command);  // returns all of its options
  Result<ImportOptions> resolve() const;
};

// Creates a trace file that appears under its name only when it is complete.
Result<std::unique_ptr<TraceWriter>> create_trace(const OutputOptions& output, const TraceHeader& header);

// Appends every step of `source` and reports each pass to `progress`. Fails on Ctrl-C, so that no
// incomplete trace is kept.
Result<void> copy_steps(StepSource& source, TraceWriter& writer, Progress* progress = nullptr);

// Finishes `writer` and prints a summary of the trace to stderr.
Result<void> finish_trace(TraceWriter& writer, const OutputOptions& output);

}  // namespace spillway
