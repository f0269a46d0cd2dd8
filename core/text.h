#pragma once

#include <fmt/core.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

// Builds text with formatting code that is compiled once: instantiating fmt::format_to or fmt::join in a file
// would take longer than compiling the rest of most files.
namespace spillway {

void append_formatted(std::string& out, fmt::string_view format, fmt::format_args args);

template <class... Args>
void append(std::string& out, fmt::format_string<Args...> format, Args&&... args) {
  append_formatted(out, format, fmt::make_format_args(args...));
}

// Returns `a, b, c` for the pieces `a`, `b` and `c` and the separator `, `.
std::string join(std::span<const std::string> pieces, std::string_view separator);

// Appends `text` to `list` unless it is empty or in the list already.
void add_once(std::vector<std::string>& list, const std::string& text);

}  // namespace spillway
