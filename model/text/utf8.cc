#include "model/text/utf8.h"

#include <utf8proc.h>

#include <algorithm>

#include "core/expects.h"

namespace spillway {
namespace {

constexpr size_t kMostBytes = 4;

// Returns true if `begin` can be completed to a character. First bytes differ only in the bounds of the bytes
// that follow, so the least or the greatest continuation byte fits whenever any does.
bool can_be_completed(std::string_view begin) {
  for (const char continuation : {'\x80', '\xbf'}) {
    std::string whole(begin);
    while (whole.size() < kMostBytes) {
      whole += continuation;
      if (first_character(whole).bytes == whole.size()) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace

Character first_character(std::string_view text) {
  utf8proc_int32_t code = 0;
  const auto length = static_cast<utf8proc_ssize_t>(std::min(text.size(), kMostBytes));
  const utf8proc_ssize_t bytes =
      utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), length, &code);
  return bytes > 0 ? Character{static_cast<uint32_t>(code), static_cast<size_t>(bytes)} : Character{};
}

size_t begun_bytes(std::string_view text) {
  size_t begun = 0;
  while (begun < std::min(text.size(), kMostBytes - 1) && can_be_completed(text.substr(0, begun + 1))) {
    ++begun;
  }
  return begun;
}

size_t display_width(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const Character character = first_character(text);
    width += character.bytes == 0
                 ? 1
                 : static_cast<size_t>(utf8proc_charwidth(static_cast<utf8proc_int32_t>(character.code)));
    text.remove_prefix(std::max<size_t>(character.bytes, 1));
  }
  return width;
}

void append_character(uint32_t code, std::string& out) {
  utf8proc_uint8_t bytes[kMostBytes];
  const utf8proc_ssize_t count = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code), bytes);
  Expects(count > 0);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(count));
}

}  // namespace spillway
