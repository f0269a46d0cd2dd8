#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "stores/scratch_store.h"

namespace spillway {

// Where the expert bytes of a replay come from, decided before any of them is made.
struct StorePlan {
  std::vector<std::string> files;  // of an existing store; none: a scratch store
  ScratchOptions scratch;

  bool is_scratch() const { return files.empty(); }
};

// Decides which store to use. `stores` is what --store names: the files of one store, directories for a
// scratch store, or nothing. `ranges` is what --ranges says, and is refused for a store that is not a scratch
// store. With `unmade` a scratch store is never made, and needs no directory.
Result<StorePlan> plan_store(const std::vector<std::string>& stores, std::optional<uint32_t> ranges,
                             bool unmade);

// True if the files of the scratch store exist; looks at their names alone.
bool has_scratch_files(const ModelGeometry& geometry, const ScratchOptions& scratch);

}  // namespace spillway
