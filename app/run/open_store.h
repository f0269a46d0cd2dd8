#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/geometry.h"
#include "core/ports.h"
#include "core/result.h"
#include "model/gguf/gguf.h"
#include "model/gguf/gguf_experts.h"
#include "stores/packed_format.h"
#include "stores/store.h"

namespace spillway {

// Opens the expert store in `paths` for a model of this shape. The content decides the kind of
// store: a packed store, the pieces of a striped one in order, or a GGUF used in place (the first
// file of a split one).
Result<std::unique_ptr<ExpertStore>> open_expert_store(const std::vector<std::string>& paths,
                                                       const ModelGeometry& geometry);

// A model's file with all that the storage side needs to know about it.
struct OpenGguf {
  Gguf gguf;
  GgufExperts experts;
  ModelGeometry geometry;
};

Result<OpenGguf> open_gguf(const std::string& path);

// Returns where the experts of a model lie in its files.
ExpertTables expert_tables(const Gguf& gguf, const GgufExperts& experts);

// Returns the fingerprint that tells this model from others. Stores packed from the model hold it.
Result<PackedOrigin> gguf_origin(const Gguf& gguf);

// Returns what tells the content of a store from others: of a GGUF and of a packed model its fingerprint, of
// a scratch store the number that its content is made from. In hexadecimal digits; empty for no store.
Result<std::string> store_identity(const std::vector<std::string>& paths);

// Fails if the store in `paths` does not hold the bytes of this model's experts, because it was packed from
// another model (the error names both), is another GGUF, or is a scratch store. Damaged bytes are found only
// when they are read.
Result<void> check_store_is_of(const std::vector<std::string>& paths, const Gguf& model);

}  // namespace spillway
