#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/step.h"
#include "traces/format.h"

// Traces that others recorded.
namespace spillway {

// What the user knows about the model and the file may not say. A given value wins over the file's.
struct ImportOptions {
  std::string model;  // name for the header
  std::optional<uint32_t> layers;
  std::optional<uint32_t> experts_per_layer;
  std::optional<uint32_t> used_top_k;
  std::optional<uint32_t> native_top_k;
  std::vector<uint64_t> expert_bytes;  // one for all layers with experts, or one per layer; empty: not given
};

// Where the steps go: `begin` once, when the header is known, then each step.
struct ImportSink {
  std::function<Result<void>(const TraceHeader& header)> begin;
  std::function<Result<void>(const Step& step)> append;
  std::function<void(uint64_t bytes)> progress =
      {};  // told now and then how far the file is read; may be empty
};

// One format. An importer is one file and one entry in list.cc.
struct Importer {
  std::string name;
  std::string summary;
  // Whether the file is of this format, told from its first bytes (up to 64 KiB) and its size.
  bool (*recognises)(std::string_view start, uint64_t file_bytes);
  // Errors name the path and the line or offset, and what is wrong there or which option is missing.
  Result<void> (*import_file)(const std::string& path, const ImportOptions& options, const ImportSink& sink);
};

std::span<const Importer> importers();

// The importer of that name, or with an empty name the one that recognises the file.
Result<const Importer*> find_importer(const std::string& name, const std::string& path);

}  // namespace spillway
