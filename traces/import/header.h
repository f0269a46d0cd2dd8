#pragma once

#include <optional>
#include <string>
#include <vector>

#include "traces/import/import.h"

// Builds the header of an imported trace from the file's facts and the user's options.
namespace spillway {

// The bytes of an expert in each layer, as far as the file gives them: 0 if the layer has no experts, nothing
// if the file does not say.
using ToldBytes = std::vector<std::optional<uint64_t>>;

// Returns the bytes of an expert in each layer. A single size in `options` applies to every layer that has
// experts or may have them; a list of sizes is used as it is. Fails if a size is missing, or if the list has
// another length than `told`. Errors begin with `path`.
Result<std::vector<uint64_t>> expert_bytes_per_layer(const std::string& path, const ImportOptions& options,
                                                     const ToldBytes& told);

// Adds expert sizes and the native top-k to a geometry whose other numbers come from the file. Fails if the
// options, or the preset that they come from, describe another model, if a size is missing, or if the
// resulting geometry is impossible.
Result<void> complete_geometry(const std::string& path, const ImportOptions& options, const ToldBytes& told,
                               ModelGeometry& geometry);

// Notes in the provenance that the trace came from the file `path` in the format `format`.
void note_source(const std::string& format, const std::string& path, TraceHeader& header);

// Returns the last part of a path.
std::string file_name(std::string_view path);

}  // namespace spillway
