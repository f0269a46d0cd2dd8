#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "stores/scratch_store.h"

namespace spillway {

// Where the bytes of a replay are to come from, decided before any of them is made.
struct StorePlan {
  std::vector<std::string> files;  // of a store that is there already; none: a scratch store
  ScratchOptions scratch;

  bool is_scratch() const { return files.empty(); }
};

// `stores` is what --store names: the files of one store, or directories for a scratch store, or nothing.
// `ranges` is what --ranges says, and refused where there is no scratch store that it could be of. With
// `unmade` a scratch store stays a plan, and needs no directory.
Result<StorePlan> plan_store(const std::vector<std::string>& stores, std::optional<uint32_t> ranges,
                             bool unmade);

// Whether the scratch store's files are there, by name alone.
bool has_scratch_files(const ModelGeometry& geometry, const ScratchOptions& scratch);

}  // namespace spillway
