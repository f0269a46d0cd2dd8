#pragma once

#include <fmt/core.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

// Putting text together, where the work is compiled once: what a call of fmt::format_to or fmt::join
// instantiates takes longer to compile than most of our files.
namespace spillway {

void append_formatted(std::string& out, fmt::string_view format, fmt::format_args args);

template <class... Args>
void append(std::string& out, fmt::format_string<Args...> format, Args&&... args) {
  append_formatted(out, format, fmt::make_format_args(args...));
}

// `a`, `b`, `c` → `a, b, c`
std::string join(std::span<const std::string> pieces, std::string_view separator);

// Appends `text` unless it is empty or there already.
void add_once(std::vector<std::string>& list, const std::string& text);

}  // namespace spillway
