#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/ports.h"
#include "core/result.h"

namespace spillway {

// Opens the expert store in `paths` for a model of this shape, whatever kind its content says it is: a packed
// store, the pieces of a striped one in order, or a GGUF (the first file of a split one). Fails when the
// shape differs from `geometry`, showing both, or when a file is too small for it.
Result<std::unique_ptr<ExpertStore>> open_store(const std::vector<std::string>& paths,
                                                const ModelGeometry& geometry);

// The members of the family, each in its own file; open_store() has seen their magic.
Result<std::unique_ptr<ExpertStore>> open_packed_store(const std::vector<std::string>& paths,
                                                       const ModelGeometry& geometry);
Result<std::unique_ptr<ExpertStore>> open_gguf_store(const std::string& path, const ModelGeometry& geometry);

}  // namespace spillway
