#pragma once

#include <string>
#include <vector>

#include "core/ports.h"
#include "stores/packed_format.h"
#include "stores/scratch_store.h"

namespace spillway {

// Returns the header of the file `piece` of the scratch store for this shape.
PackedHeader scratch_header(const ModelGeometry& geometry, const ScratchOptions& options, uint32_t piece);

// The layout of a scratch store that does not exist yet, over `files` that have none of its bytes.
class UnmadeStore final : public ExpertStore {
 public:
  UnmadeStore(const ModelGeometry& geometry, const ScratchOptions& options, std::vector<std::string> files);

  std::span<const std::string> files() const override { return files_; }
  void ranges(ExpertId id, std::vector<ByteRange>& out) const override;
  bool can_check() const override { return true; }
  bool check(ExpertId, const ByteRange&, std::span<const std::byte>, Check) const override { return false; }

 private:
  const ModelGeometry geometry_;
  const PackedLayout layout_;
  const std::vector<std::string> files_;
};

// Returns a store in one file that is never made, for a simulated drive.
UnmadeStore imagined_store(const ModelGeometry& geometry, uint32_t ranges_per_expert = 1);

}  // namespace spillway
