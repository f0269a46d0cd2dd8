#include "stores/unmade_store.h"

namespace spillway {

PackedHeader scratch_header(const ModelGeometry& geometry, const ScratchOptions& options, uint32_t piece) {
  return {.layers = geometry.layers,
          .experts_per_layer = geometry.experts_per_layer,
          .expert_bytes = geometry.expert_bytes,
          .parts = options.ranges_per_expert,
          .piece = piece,
          .pieces = uint32_t(options.directories.size()),
          .seed = options.seed};
}

UnmadeStore::UnmadeStore(const ModelGeometry& geometry, const ScratchOptions& options,
                         std::vector<std::string> files)
    : geometry_(geometry), layout_(scratch_header(geometry, options, 0)), files_(std::move(files)) {}

void UnmadeStore::ranges(ExpertId id, std::vector<ByteRange>& out) const {
  layout_.ranges(geometry_.layer_of(id), geometry_.expert_of(id), out);
}

UnmadeStore imagined_store(const ModelGeometry& geometry, uint32_t ranges_per_expert) {
  const std::string nowhere = "imagined";
  return UnmadeStore(geometry, {.directories = {nowhere}, .ranges_per_expert = ranges_per_expert}, {nowhere});
}

}  // namespace spillway
