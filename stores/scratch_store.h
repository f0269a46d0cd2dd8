#pragma once

#include <string>
#include <vector>

#include "core/function_ref.h"
#include "core/geometry.h"
#include "core/result.h"

namespace spillway {

struct ScratchOptions {
  // One file in each, in this order: a single one, or several for a store striped as if on several drives
  // (the same directory may appear again). Made when absent.
  std::vector<std::string> directories;
  uint32_t ranges_per_expert = 1;  // 3: gate, up and down apart, as a GGUF has them
  uint64_t seed = 1;
};

// Told now and then how many bytes have been written; false stops the writing.
using StoreProgress = FunctionRef<bool(uint64_t done, uint64_t total)>;

// $XDG_CACHE_HOME/spillway, or ~/.cache/spillway; fails when neither variable is set.
Result<std::string> default_cache_directory();

// What the files of the scratch store for this shape are called, whether they exist or not.
std::vector<std::string> scratch_store_paths(const ModelGeometry& geometry, const ScratchOptions& options);

// Makes the files, of generated content, or finds them made already. A full disk is seen before anything is
// written; what fails or is stopped leaves nothing behind. Bypasses the page cache.
Result<std::vector<std::string>> make_scratch_store(const ModelGeometry& geometry,
                                                    const ScratchOptions& options, StoreProgress progress);

}  // namespace spillway
