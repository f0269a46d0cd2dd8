#pragma once

#include <string>
#include <string_view>
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

// Returns $XDG_CACHE_HOME/spillway or ~/.cache/spillway. Fails if neither variable is an absolute path; the
// error offers `option`, such as `--store DIR`, which names another directory.
Result<std::string> default_cache_directory(std::string_view option);

// Returns the paths of the scratch store's files for this shape, whether they exist or not.
std::vector<std::string> scratch_store_paths(const ModelGeometry& geometry, const ScratchOptions& options);

// Returns the files that make_scratch_store() would write, and the size of each. Returns no paths if the
// store is there.
struct MissingFiles {
  std::vector<std::string> paths;
  uint64_t bytes_each = 0;

  uint64_t bytes() const { return bytes_each * paths.size(); }
};
Result<MissingFiles> missing_scratch_files(const ModelGeometry& geometry, const ScratchOptions& options);

// Makes the files, with generated content, unless they exist already. Detects a full disk before anything is
// written, and calls `progress` with 0 once there is room for what is missing. A run that fails or is
// stopped leaves nothing behind. Bypasses the page cache.
Result<std::vector<std::string>> make_scratch_store(const ModelGeometry& geometry,
                                                    const ScratchOptions& options, StoreProgress progress);

}  // namespace spillway
