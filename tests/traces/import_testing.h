#pragma once

#include "tests/traces/trace_testing.h"
#include "traces/import/import.h"

namespace spillway::testing {

struct Imported {
  TraceHeader header;
  std::vector<Step> steps;
  std::string error;
};

// What the user says of a model with 8 experts of 4096 bytes in each layer.
inline ImportOptions eight_experts() {
  ImportOptions options;
  options.experts_per_layer = 8;
  options.expert_bytes = {4096};
  return options;
}

// Imports with the named importer, or with the one that recognises the file.
inline Imported import_all(const std::string& path, const ImportOptions& options = {},
                           const std::string& format = {}) {
  Imported imported;
  const Result<const Importer*> importer = find_importer(format, path);
  if (!importer) {
    imported.error = importer.error().message;
    return imported;
  }
  ImportSink sink;
  sink.begin = [&](const TraceHeader& header) -> Result<void> {
    imported.header = header;
    return {};
  };
  sink.append = [&](const Step& step) -> Result<void> {
    imported.steps.push_back(step);
    imported.steps.back().index = imported.steps.size() - 1;
    return {};
  };
  if (const Result<void> outcome = (*importer)->import_file(path, options, sink); !outcome) {
    imported.error = outcome.error().message;
  }
  return imported;
}

// Imports as `spillway trace import` does: through a trace file, so that experts are filled in. Returns
// nullptr when the file is not there.
inline std::unique_ptr<TraceReader> import_to_reader(const TemporaryDirectory& scratch,
                                                     const std::string& path,
                                                     const ImportOptions& options = {}) {
  const Imported imported = import_all(path, options);
  EXPECT_EQ(imported.error, "");
  write_trace(scratch / "imported.bin", imported.header, imported.steps);
  auto reader = TraceReader::open(scratch / "imported.bin");
  EXPECT_TRUE(reader) << reader.error().message;
  return std::move(*reader);
}

}  // namespace spillway::testing
