#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace spillway {

// A plug-in as named on the command line: `uring:depth=64,chunk=1MiB`. A key without `=` has no value, which
// a switch takes for on.
struct Spec {
  std::string name;
  std::vector<std::pair<std::string, std::optional<std::string>>> values;
};

// Fails on an empty name or a key given twice. An empty key, as in `uring:` or `uring:=3`, is left to who
// reads the values, since only there the error can tell which keys there are.
Result<Spec> parse_spec(std::string_view text);

}  // namespace spillway
