#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// The one place that reads and writes UTF-8.
namespace spillway {

struct Character {
  uint32_t code = 0;  // its code point
  size_t bytes = 0;   // 0: no character
};

// Returns the character that `text` begins with, or none where the text is empty, is cut off, or is not
// UTF-8: forms longer than needed, surrogates and code points beyond U+10FFFF are not.
Character first_character(std::string_view text);

// Returns how many bytes of `text`, which begins with no character, could begin one.
size_t begun_bytes(std::string_view text);

// Returns how many columns `text` takes on a terminal: two for a wide character, none for a mark over another
// character, one for a byte that belongs to no character.
size_t display_width(std::string_view text);

// Appends the character of that code point.
void append_character(uint32_t code, std::string& out);

}  // namespace spillway
