#pragma once

#include <cstdint>
#include <string>

#include "core/geometry.h"
#include "core/json_fwd.h"
#include "core/result.h"
#include "stores/pack_store.h"

namespace spillway {

// The orders that a layer's experts can have on disk: by their numbers, and those side by side that a trace's
// tokens use together.
inline constexpr const char* kLayoutById = "id";
inline constexpr const char* kLayoutByCoactivation = "coactivation";

struct PackRequest {
  std::string model;  // a GGUF, or the first file of a split one
  std::string store;
  bool replace = false;  // a store that is there
  std::string layout = kLayoutById;
  std::string trace;  // of this model; for kLayoutByCoactivation
};

struct PackedModel {
  ModelGeometry geometry;
  PackedOrigin origin;
  uint64_t bytes = 0;  // of the store
  // With kLayoutByCoactivation: into how many runs of neighbours a decode step of the trace falls, in this
  // order and by number.
  double runs = 0;
  double runs_by_id = 0;
};

// Reads the model and the trace, and writes the store (stores/pack_store.h).
Result<PackedModel> pack_model(const PackRequest& request, StoreProgress progress);

// As spillway.pack/1.
Json to_json(const PackRequest& request, const PackedModel& made);

}  // namespace spillway
