#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/json_fwd.h"
#include "core/result.h"

namespace spillway {

// What JSON that somebody else wrote may be.
struct JsonLimits {
  uint64_t most_bytes = 0;
  size_t most_depth = 64;  // of lists and objects within each other
};

// The one door for JSON from outside: never throws, takes time in proportion to the text, and refuses an
// object that has a key twice, of which one would be overlooked. Errors name the byte, but no file.
Result<Json> parse_json(std::string_view text, JsonLimits limits);

}  // namespace spillway
