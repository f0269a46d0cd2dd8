#include "app/cli/printable.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "core/text.h"
#include "model/text/utf8.h"

namespace spillway {
namespace {

struct Codes {
  uint32_t first = 0;
  uint32_t last = 0;
};

// Characters that a terminal obeys or a reader cannot see. The backslash is among them, so that escapes
// written here can be told from a text that already contains them.
constexpr Codes kEscaped[] = {
    {0x00, 0x1F},        // control characters
    {'\\', '\\'},        //
    {0x7F, 0x9F},        // control characters
    {0x061C, 0x061C},    // a mark of direction
    {0x200B, 0x200F},    // zero-width characters, and marks of direction
    {0x2028, 0x202E},    // separators of lines and paragraphs; embedded and overriding direction
    {0x2060, 0x206F},    // more zero-width characters, isolated direction, and deprecated ones
    {0xFEFF, 0xFEFF},    // byte order mark
    {0xE0000, 0xE007F},  // tags
};

bool is_harmless(uint32_t code) {
  return std::none_of(std::begin(kEscaped), std::end(kEscaped),
                      [code](const Codes& codes) { return code >= codes.first && code <= codes.last; });
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
        append(out, "\\x{:02x}", uint8_t(byte));
      }
    }
    text.remove_prefix(bytes);
  }
  return out;
}

}  // namespace spillway
