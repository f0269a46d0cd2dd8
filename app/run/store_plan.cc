#include "app/run/store_plan.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "core/text.h"
#include "host/posix_file.h"

namespace spillway {

Result<StorePlan> plan_store(const std::vector<std::string>& stores, std::optional<uint32_t> ranges,
                             bool unmade) {
  StorePlan plan{{}, {.directories = stores, .ranges_per_expert = ranges.value_or(1)}};
  if (stores.empty() && unmade) {
    plan.scratch.directories = {"."};  // one piece
    return plan;
  }
  if (stores.empty()) {
    Result<std::string> directory = default_cache_directory("--store DIR");
    if (!directory) {
      return propagate(directory);
    }
    plan.scratch.directories = {*directory};
    return plan;
  }
  size_t directories = 0;
  for (const std::string& path : stores) {
    struct stat status = {};
    if (::stat(path.c_str(), &status) != 0) {
      return failed("--store {}: {}; name a store, or an existing directory to make one in", path,
                    error_text(errno));
    }
    directories += S_ISDIR(status.st_mode) ? 1 : 0;
  }
  if (directories == stores.size()) {
    return plan;
  }
  if (directories > 0) {
    return wrong_usage(
        "--store {}: names both files and directories; name the files of one store, "
        "or directories to make one in",
        join(stores, ","));
  }
  if (ranges) {
    return wrong_usage(
        "--ranges {}: only a scratch store can be given a number of ranges, "
        "and {} exists already; leave out --ranges",
        *ranges, stores.front());
  }
  plan.files = stores;
  return plan;
}

bool has_scratch_files(const ModelGeometry& geometry, const ScratchOptions& scratch) {
  const std::vector<std::string> paths = scratch_store_paths(geometry, scratch);
  return std::all_of(paths.begin(), paths.end(), [](const std::string& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
  });
}

}  // namespace spillway
