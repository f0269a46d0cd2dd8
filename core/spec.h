#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace spillway {

// A plug-in as named on the command line: `uring:depth=64,chunk=1MiB`. A key without `=` means `key=1`.
struct Spec {
  std::string name;
  std::vector<std::pair<std::string, std::string>> values;
};

// Fails on an empty name, an empty key or a key given twice.
Result<Spec> parse_spec(std::string_view text);

}  // namespace spillway
