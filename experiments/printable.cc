#include "experiments/printable.h"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>

namespace spillway {
namespace {

struct Character {
  uint32_t code = 0;
  size_t bytes = 0;  // 0: not UTF-8
};

// The first character of `text`, which is not empty. Overlong forms and surrogates are not UTF-8.
Character first_character(std::string_view text) {
  const auto lead = uint8_t(text.front());
  if (lead < 0x80) {
    return {lead, 1};
  }
  const size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) {
    return {};
  }
  uint32_t code = lead & (0x7FU >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    const auto next = uint8_t(text[i]);
    if ((next & 0xC0U) != 0x80) {
      return {};
    }
    code = code << 6 | (next & 0x3FU);
  }
  const bool overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
  if (overlong || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
    return {};
  }
  return {code, bytes};
}

// Control characters of both sets, line and paragraph separators, and the marks that turn or embed direction.
bool is_harmless(uint32_t code) {
  return code >= 0x20 && !(code >= 0x7F && code <= 0x9F) && !(code >= 0x200E && code <= 0x200F) &&
         !(code >= 0x2028 && code <= 0x202E) && !(code >= 0x2066 && code <= 0x2069);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character character = first_character(text);
    const size_t bytes = character.bytes == 0 ? 1 : character.bytes;
    if (character.bytes != 0 && is_harmless(character.code)) {
      out += text.substr(0, bytes);
    } else {
      for (const char byte : text.substr(0, bytes)) {
        fmt::format_to(std::back_inserter(out), "\\x{:02x}", uint8_t(byte));
      }
    }
    text.remove_prefix(bytes);
  }
  return out;
}

}  // namespace spillway
