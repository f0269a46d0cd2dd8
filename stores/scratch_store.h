#pragma once

#include <string>
#include <vector>

#include "core/function_ref.h"
#include "core/geometry.h"
#include "core/result.h"

namespace spillway {

struct ScratchOptions {
  // Each directory gets one file, in this order: a single one, or several for a store striped as if on
  // several drives (a directory may appear more than once). Missing directories are made.
  std::vector<std::string> directories;
  uint32_t ranges_per_expert = 1;  // 3: gate, up and down are separate ranges, as in a GGUF
  uint64_t seed = 1;
};

// Called now and then with the bytes written so far; stops the writing by returning false.
using StoreProgress = FunctionRef<bool(uint64_t done, uint64_t total)>;

// Returns $XDG_CACHE_HOME/spillway or ~/.cache/spillway. Fails if neither variable is set.
Result<std::string> default_cache_directory();

// Returns the paths of the scratch store's files for this shape, whether they exist or not.
std::vector<std::string> scratch_store_paths(const ModelGeometry& geometry, const ScratchOptions& options);

// Makes the files, with generated content, unless they exist already. Detects a full disk before anything is
// written. A run that fails or is stopped leaves nothing behind. Bypasses the page cache.
Result<std::vector<std::string>> make_scratch_store(const ModelGeometry& geometry,
                                                    const ScratchOptions& options, StoreProgress progress);

}  // namespace spillway
