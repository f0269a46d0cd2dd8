#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/ports.h"
#include "core/result.h"

namespace spillway {

// Opens the expert store in `paths` for a model of the shape `geometry`: a packed store, or the
// pieces of a striped one in order. Fails if the shapes differ, and shows both; fails if a file is
// too small for its shape.
Result<std::unique_ptr<ExpertStore>> open_store(const std::vector<std::string>& paths,
                                                const ModelGeometry& geometry);

// Opens a packed store. The caller, open_store(), has checked its magic.
Result<std::unique_ptr<ExpertStore>> open_packed_store(const std::vector<std::string>& paths,
                                                       const ModelGeometry& geometry);

// One part of every expert of a layer; the experts lie one behind the other.
struct ExpertTable {
  uint32_t file = 0;    // index into ExpertTables::files
  uint64_t offset = 0;  // of expert 0 in that file
  uint64_t bytes = 0;   // size of one expert's part
};

// Where experts lie in files of a foreign format; code that knows the format fills this in.
struct ExpertTables {
  std::vector<std::string> files;
  uint32_t experts_per_layer = 0;
  std::vector<std::vector<ExpertTable>> layers;  // [layer][part], in the order gate, up, down
};

// Makes a store of files that are used in place. Nothing is known of their bytes, so reads cannot be
// checked. The caller must make sure that the tables lie within their files. Fails if their shape
// differs from `geometry`.
Result<std::unique_ptr<ExpertStore>> make_range_store(ExpertTables tables, const ModelGeometry& geometry);

}  // namespace spillway
