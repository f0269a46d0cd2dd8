#pragma once

#include <string>
#include <vector>

#include "stores/packed_format.h"
#include "stores/scratch_store.h"
#include "stores/store.h"

namespace spillway {

struct PackPlan {
  std::string path;       // of the store
  bool replace = false;   // a file that is there
  ExpertTables tables;    // where the experts' bytes are now
  PackedContent content;  // for the header, but for its index_checksum; parts as in `tables`
  // [layer × experts_per_layer + expert]: its place in its layer, each of them taken once.
  std::vector<uint32_t> slots;
};

// Writes the store and returns the bytes of its file. Takes memory for two experts. A full disk is seen
// before anything is written; what fails or is stopped leaves nothing behind, and what was at `path` before
// is there until the new store is whole. Neither the model nor the store stays in the page cache.
Result<uint64_t> pack_store(const PackPlan& plan, StoreProgress progress);

}  // namespace spillway
