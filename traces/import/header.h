#pragma once

#include <optional>
#include <string>
#include <vector>

#include "traces/import/import.h"

// The header of an imported trace: what the file says, completed by what the user knows.
namespace spillway {

// What a file says of each layer's experts: their bytes, 0 where the layer has none, nothing where the file
// is silent.
using ToldBytes = std::vector<std::optional<uint64_t>>;

// Returns the bytes of an expert in each layer. One size in `options` counts for every layer that has experts
// or may have them; a list of sizes is taken as it is. Fails when a size is missing, or when the list has
// another length than `told`. Errors begin with `path`.
Result<std::vector<uint64_t>> expert_bytes_per_layer(const std::string& path, const ImportOptions& options,
                                                     const ToldBytes& told);

// Puts expert sizes and the native top-k into a geometry whose other numbers are the file's. Fails when the
// options, or the preset they come from, speak of another model, when a size is missing, and when the whole
// is impossible.
Result<void> complete_geometry(const std::string& path, const ImportOptions& options, const ToldBytes& told,
                               ModelGeometry& geometry);

// Appends to the provenance that the trace was in `format`, in the file `path`.
void note_source(const std::string& format, const std::string& path, TraceHeader& header);

// Returns the last part of a path.
std::string file_name(std::string_view path);

}  // namespace spillway
