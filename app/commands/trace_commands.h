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

// What the `spillway trace …` commands share.
namespace spillway {

void add_trace_info(Command trace, Invocation& invocation);
void add_trace_import(Command trace, Invocation& invocation);
void add_trace_export(Command trace, Invocation& invocation);
void add_trace_cut(Command trace, Invocation& invocation);
void add_trace_synth(Command trace, Invocation& invocation);
void add_trace_preload(Command trace, Invocation& invocation);

// Where a command writes: -o FILE and --force.
struct OutputOptions {
  std::string path;
  bool force = false;

  void declare(Command command);

  // Refuses to write over `input`, by whatever name and also with --force: it is read while we write.
  Result<void> check_against(const std::string& input) const;

  // The same where a trace is written, which is binary and not for stdout.
  Result<void> check_trace_against(const std::string& input) const;
};

// The model behind a trace, by preset or by numbers; a number given wins over the preset's.
struct ModelOptions {
  std::string preset;
  std::string presets_directory;
  uint32_t layers = 0;  // 0: not given
  uint32_t experts = 0;
  uint32_t top_k = 0;
  uint32_t native_top_k = 0;
  Bytes expert_bytes;

  std::vector<Option> declare(Command command);  // all of them
  Result<ImportOptions> resolve() const;
};

// A trace file that is made in one go: it appears under its name when it is whole.
Result<std::unique_ptr<TraceWriter>> create_trace(const OutputOptions& output, const TraceHeader& header);

// Appends every step of `source`, telling `progress` of each pass. Fails on Ctrl-C, so that nothing half-made
// is kept.
Result<void> copy_steps(StepSource& source, TraceWriter& writer, Progress* progress = nullptr);

// Finishes `writer` and tells stderr what was written.
Result<void> finish_trace(TraceWriter& writer, const OutputOptions& output);

}  // namespace spillway
