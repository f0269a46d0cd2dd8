#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/json_fwd.h"
#include "core/result.h"

namespace spillway {

// Bounds for JSON that comes from outside the program.
struct JsonLimits {
  uint64_t most_bytes = 0;
  size_t most_depth = 64;  // levels of nested lists and objects
};

// Parses JSON from outside the program; all such text must come through here. Never throws and takes time in
// proportion to the text. Fails on an object that has the same key twice, since one of the two values would
// be ignored. Errors name the byte but not the file, which the caller puts in front.
Result<Json> parse_json(std::string_view text, JsonLimits limits);

}  // namespace spillway
