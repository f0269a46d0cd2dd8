#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace spillway {

// Returns the one of `names` that `word` was probably meant to be: the fewest letters differ, and at most a
// third of them. Nothing if no name is that near.
std::optional<std::string> nearest_name(std::string_view word, std::span<const std::string> names);

// Returns `; did you mean 'NAME'?` for that name, or else `; there are: …` with all names: the end of an
// error.
std::string meant_or_all(std::string_view word, std::span<const std::string> names);

}  // namespace spillway
