#include "core/text.h"

#include <fmt/format.h>

#include <iterator>

namespace spillway {

void append_formatted(std::string& out, fmt::string_view format, fmt::format_args args) {
  fmt::vformat_to(std::back_inserter(out), format, args);
}

std::string join(std::span<const std::string> pieces, std::string_view separator) {
  std::string text;
  for (const std::string& piece : pieces) {
    if (&piece != &pieces.front()) {
      text += separator;
    }
    text += piece;
  }
  return text;
}

}  // namespace spillway
