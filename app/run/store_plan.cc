#include "app/run/store_plan.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "core/text.h"

namespace spillway {
namespace {

namespace fs = std::filesystem;

// Enough for a trial with a huge page, which needs one that begins behind the first.
constexpr off_t kStandInBytes = 4 << 20;

PackedHeader header_of(const ModelGeometry& geometry, const ScratchOptions& scratch) {
  return {.layers = geometry.layers,
          .experts_per_layer = geometry.experts_per_layer,
          .expert_bytes = geometry.expert_bytes,
          .parts = scratch.ranges_per_expert,
          .piece = 0,
          .pieces = uint32_t(scratch.directories.size()),
          .seed = scratch.seed};
}

// The directory itself, or the one that it will be made in.
fs::path nearest_directory(fs::path directory) {
  std::error_code ignored;
  while (!fs::is_directory(directory, ignored) && directory.has_parent_path() &&
         directory != directory.parent_path()) {
    directory = directory.parent_path();
  }
  return fs::is_directory(directory, ignored) ? directory : fs::path(".");
}

// A file that nothing but a descriptor leads to.
FileHandle nameless_file(const fs::path& directory) {
  if (FileHandle file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode_t(0600)));
      file.get() >= 0) {
    return file;
  }
  // A file system without such files: a name for as long as it takes to remove it.
  std::string name = (directory / "spillway-XXXXXX").string();
  FileHandle file(::mkostemp(name.data(), O_CLOEXEC));
  if (file.get() >= 0) {
    ::unlink(name.c_str());
  }
  return file;
}

std::string path_of(const FileHandle& file) {
  return fmt::format("/proc/self/fd/{}", file.get());
}

}  // namespace

Result<StorePlan> plan_store(const std::vector<std::string>& stores, std::optional<uint32_t> ranges,
                             bool unmade) {
  StorePlan plan{{}, {.directories = stores, .ranges_per_expert = ranges.value_or(1)}};
  if (stores.empty() && unmade) {
    plan.scratch.directories = {"."};  // one piece
    return plan;
  }
  if (stores.empty()) {
    Result<std::string> directory = default_cache_directory();
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
      return failed("--store {}: {}; name a store, or a directory that exists to have one made there", path,
                    error_text(errno));
    }
    directories += S_ISDIR(status.st_mode) ? 1 : 0;
  }
  if (directories == stores.size()) {
    return plan;
  }
  if (directories > 0) {
    return wrong_usage(
        "--store {}: names both files and directories; name the files of one store, or "
        "directories to have one made in",
        join(stores, ","));
  }
  if (ranges) {
    return wrong_usage(
        "--ranges {}: only a scratch store is made to order, and {} is there already; leave it out", *ranges,
        stores.front());
  }
  plan.files = stores;
  return plan;
}

bool has_scratch_files(const ModelGeometry& geometry, const ScratchOptions& scratch) {
  const std::vector<std::string> paths = scratch_store_paths(geometry, scratch);
  return std::all_of(paths.begin(), paths.end(), [](const std::string& path) {
    std::error_code ignored;
    return fs::exists(path, ignored);
  });
}

UnmadeStore::UnmadeStore(const ModelGeometry& geometry, const ScratchOptions& scratch,
                         std::vector<std::string> files)
    : geometry_(geometry), layout_(header_of(geometry, scratch)), files_(std::move(files)) {}

void UnmadeStore::ranges(ExpertId id, std::vector<ByteRange>& out) const {
  layout_.ranges(geometry_.layer_of(id), geometry_.expert_of(id), out);
}

std::optional<StandIn> StandIn::make(const std::vector<std::string>& directories) {
  StandIn stand_in;
  for (const std::string& directory : directories) {
    stand_in.directories_.push_back(nearest_directory(directory));
    const FileHandle writable = nameless_file(stand_in.directories_.back());
    if (writable.get() < 0 || ::ftruncate(writable.get(), kStandInBytes) != 0) {
      return std::nullopt;
    }
    // The kernel makes huge pages only of files that nobody has open for writing.
    FileHandle readable(::open(path_of(writable).c_str(), O_RDONLY | O_CLOEXEC));
    if (readable.get() < 0) {
      return std::nullopt;
    }
    stand_in.names_.push_back(path_of(readable));
    stand_in.handles_.push_back(std::move(readable));
  }
  return stand_in;
}

}  // namespace spillway
