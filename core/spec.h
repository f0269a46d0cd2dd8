#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace spillway {

// A plug-in as the command line names it: `uring:depth=64,chunk=1MiB`. A key without `=` has no value, and a
// switch takes that as on.
struct Spec {
  std::string name;
  std::vector<std::pair<std::string, std::optional<std::string>>> values;
};

// Parses a spec. Fails on an empty name or a key given twice. An empty key, as in `uring:` or `uring:=3`, is
// accepted here: only the reader of the values can list the available keys in its error.
Result<Spec> parse_spec(std::string_view text);

}  // namespace spillway
