#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/step.h"
#include "traces/format.h"
#include "traces/plain_input.h"

// Imports traces that other programs recorded.
namespace spillway {

// Facts about the model that the user knows and the file may lack. A given value takes
// precedence over the file's.
struct ImportOptions {
  std::string model;  // the model's name, for the header
  std::optional<uint32_t> layers;
  std::optional<uint32_t> experts_per_layer;
  std::optional<uint32_t> used_top_k;
  std::optional<uint32_t> native_top_k;
  // Tokens at the beginning that were processed together, for formats that do not tell them from decoded
  // ones.
  std::optional<uint32_t> prompt_tokens;
  std::vector<uint64_t> expert_bytes;  // one for all layers with experts, or one per layer; empty: unknown
};

// The receiver of an imported trace: `begin` is called once, when the header is known, then
// `append` for each step.
struct ImportSink {
  std::function<Result<void>(const TraceHeader& header)> begin;
  std::function<Result<void>(const Step& step)> append;
  // Called now and then with the bytes of the content read so far; may be empty.
  std::function<void(uint64_t bytes)> progress = {};
  // Receives what the user ought to know of the recording, a sentence each; may be empty.
  std::function<void(const std::string& sentence)> note = {};
};

// One trace format. An importer is one file and one entry in list.cc.
struct Importer {
  std::string name;
  std::string summary;
  // Returns true if a file seems to be of this format, judging by the first bytes of its content (up to 64
  // KiB) and, where these are not enough, the rest.
  bool (*recognises)(std::string_view start, PlainInput& file);
  // Imports the file. Errors name the path and the line or offset, and say what is wrong there or which
  // option is missing.
  Result<void> (*import_file)(const std::string& path, const ImportOptions& options, const ImportSink& sink);
};

std::span<const Importer> importers();

// Returns the importer with that name or, if the name is empty, the one that recognises the file. Any format
// may be compressed with zstd or gzip.
Result<const Importer*> find_importer(const std::string& name, const std::string& path);

}  // namespace spillway
