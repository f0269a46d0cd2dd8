#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// Reads and writes UTF-8; all other code uses these functions.
namespace spillway {

struct Character {
  uint32_t code = 0;  // the code point
  size_t bytes = 0;   // its length in UTF-8; 0: no character
};

// Returns the character that `text` begins with. Returns none if the text is empty, is cut off, or is not
// UTF-8; overlong forms, surrogates and code points beyond U+10FFFF are not UTF-8.
Character first_character(std::string_view text);

// Returns how many bytes at the start of `text` could begin a character. `text` must not
// begin with a whole one.
size_t begun_bytes(std::string_view text);

// Returns how many columns `text` takes on a terminal: two for a wide character, none for a mark over another
// character, one for a byte that belongs to no character.
size_t display_width(std::string_view text);

// Appends the character with the code point `code`.
void append_character(uint32_t code, std::string& out);

}  // namespace spillway
