#pragma once

#include <cstdint>
#include <string>

#include "core/geometry.h"
#include "core/json_fwd.h"
#include "core/result.h"
#include "stores/pack_store.h"

namespace spillway {

// The orders that a layer's experts can have on disk: by number, or with the experts that a trace's tokens
// use together side by side.
inline constexpr const char* kLayoutById = "id";
inline constexpr const char* kLayoutByCoactivation = "coactivation";

struct PackRequest {
  std::string model;  // a GGUF, or the first file of a split one
  std::string store;
  bool replace = false;  // replaces a store that exists
  std::string layout = kLayoutById;
  std::string trace;  // a trace of this model, for kLayoutByCoactivation
};

struct PackedModel {
  ModelGeometry geometry;
  PackedOrigin origin;
  uint64_t bytes = 0;  // size of the store
  // With kLayoutByCoactivation: the mean number of runs of neighbours in which the experts of a decode step
  // of the trace lie, in this order and in the order by number.
  double runs = 0;
  double runs_by_id = 0;
};

// Reads the model and the trace, and writes the store (stores/pack_store.h).
Result<PackedModel> pack_model(const PackRequest& request, StoreProgress progress);

// Returns the result as spillway.pack/1.
Json to_json(const PackRequest& request, const PackedModel& made);

}  // namespace spillway
