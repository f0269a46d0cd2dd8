#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/ports.h"
#include "core/result.h"

namespace spillway {

// Opens the expert store in `paths` for a model of this shape: a packed store, or the pieces of a striped one
// in order. Fails when the shape differs from `geometry`, showing both, or when a file is too small for it.
Result<std::unique_ptr<ExpertStore>> open_store(const std::vector<std::string>& paths,
                                                const ModelGeometry& geometry);

// The member of the family in a file of its own; open_store() has seen its magic.
Result<std::unique_ptr<ExpertStore>> open_packed_store(const std::vector<std::string>& paths,
                                                       const ModelGeometry& geometry);

// A part of every expert of a layer, one behind the other.
struct ExpertTable {
  uint32_t file = 0;    // index into ExpertTables::files
  uint64_t offset = 0;  // of expert 0 in that file
  uint64_t bytes = 0;   // of one expert
};

// Where experts lie in files of a foreign format, which whoever knows that format found out.
struct ExpertTables {
  std::vector<std::string> files;
  uint32_t experts_per_layer = 0;
  std::vector<std::vector<ExpertTable>> layers;  // [layer][part], in the order gate, up, down
};

// A store of files used in place. Nothing is known of their bytes, so reads of it cannot be checked; that the
// tables lie within their files is the caller's promise. Fails when their shape differs from `geometry`.
Result<std::unique_ptr<ExpertStore>> make_range_store(ExpertTables tables, const ModelGeometry& geometry);

}  // namespace spillway
