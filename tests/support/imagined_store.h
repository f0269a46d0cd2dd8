#pragma once

#include <vector>

#include "core/ports.h"

namespace spillway {

// The places that a model's experts would have in one packed file, for a device that is simulated too.
class ImaginedStore final : public ExpertStore {
 public:
  explicit ImaginedStore(const ModelGeometry& geometry) : geometry_(geometry) {
    for (const uint64_t bytes : geometry.expert_bytes) {
      layer_offsets_.push_back(end_);
      end_ += bytes * geometry.experts_per_layer;
    }
  }

  std::span<const std::string> files() const override { return names_; }

  void ranges(ExpertId id, std::vector<ByteRange>& out) const override {
    const uint64_t bytes = geometry_.bytes_of(id);
    out.push_back({0, layer_offsets_[geometry_.layer_of(id)] + geometry_.expert_of(id) * bytes, bytes});
  }

  bool can_check() const override { return false; }
  bool check(ExpertId, const ByteRange&, std::span<const std::byte>, Check) const override { return true; }

 private:
  const ModelGeometry& geometry_;
  std::vector<std::string> names_ = {"imagined store"};
  std::vector<uint64_t> layer_offsets_;
  uint64_t end_ = 0;
};

}  // namespace spillway
