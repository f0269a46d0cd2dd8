#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/ports.h"
#include "host/posix_file.h"
#include "stores/packed_format.h"
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

// What the scratch store will be, before it is: its layout, over `files` that have none of its bytes.
class UnmadeStore final : public ExpertStore {
 public:
  UnmadeStore(const ModelGeometry& geometry, const ScratchOptions& scratch, std::vector<std::string> files);

  std::span<const std::string> files() const override { return files_; }
  void ranges(ExpertId id, std::vector<ByteRange>& out) const override;
  bool can_check() const override { return true; }
  bool check(ExpertId, const ByteRange&, std::span<const std::byte>, Check) const override { return false; }

 private:
  const ModelGeometry geometry_;
  const PackedLayout layout_;
  const std::vector<std::string> files_;
};

// Small empty files without a name, on the file systems where a scratch store will be: whether a backend can
// be had is found out on them. They are gone when this is, however the process ends.
class StandIn {
 public:
  // Nothing where no file can be made; making the store will say why.
  static std::optional<StandIn> make(const std::vector<std::string>& directories);

  const std::vector<std::string>& files() const { return names_; }
  // Where they are, which a file without a name does not tell.
  const std::vector<std::string>& directories() const { return directories_; }

 private:
  StandIn() = default;

  std::vector<FileHandle> handles_;
  std::vector<std::string> names_;
  std::vector<std::string> directories_;
};

}  // namespace spillway
