#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/geometry.h"
#include "core/ports.h"
#include "core/result.h"

namespace spillway {

// Opens the expert store in `paths` for a model of this shape, whatever kind its content says it is: a packed
// store, the pieces of a striped one in order, or a GGUF used in place (the first file of a split one).
Result<std::unique_ptr<ExpertStore>> open_expert_store(const std::vector<std::string>& paths,
                                                       const ModelGeometry& geometry);

}  // namespace spillway
