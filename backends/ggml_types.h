#pragma once

#include <cstdint>

#include "core/result.h"

namespace spillway {

// A row of `elements` values of a ggml type takes this many bytes; fails on an unknown type and on a row that
// is not a whole number of the type's blocks.
Result<uint64_t> ggml_row_bytes(uint32_t type, uint64_t elements);

}  // namespace spillway
