#pragma once

#include <string>
#include <vector>

#include "stores/packed_format.h"
#include "stores/scratch_store.h"
#include "stores/store.h"

namespace spillway {

struct PackPlan {
  std::string path;       // of the store
  bool replace = false;   // may replace an existing file
  ExpertTables tables;    // where the experts' bytes are now
  PackedContent content;  // for the header; parts as in `tables`; pack_store() fills in index_checksum
  // [layer × experts_per_layer + expert]: the expert's slot in its layer; each slot is taken once.
  std::vector<uint32_t> slots;
};

// Writes the store and returns the bytes of its file. Calls `progress` with 0 and these bytes first, once
// there is room for the file. Needs memory for two experts. Detects a full disk before anything is written. A
// run that fails or is stopped leaves nothing behind, and an existing file at `path` stays until the new
// store is complete. Neither the model nor the store stays in the page cache.
Result<uint64_t> pack_store(const PackPlan& plan, StoreProgress progress);

}  // namespace spillway
