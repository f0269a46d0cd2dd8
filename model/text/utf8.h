#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// Characters and the bytes that UTF-8 has for each: all that the lab asks of UTF-8 is asked here.
namespace spillway {

struct Character {
  uint32_t code = 0;  // its code point
  size_t bytes = 0;   // 0: no character
};

// The character that `text` begins with. There is none where the text is empty, is cut off, or is not UTF-8:
// longer forms than needed, surrogates and numbers beyond U+10FFFF are not.
Character first_character(std::string_view text);

// Of a text that begins with no character: how many of its first bytes could begin one.
size_t begun_bytes(std::string_view text);

// A byte that is of no character counts as one.
size_t count_characters(std::string_view text);

// Appends the bytes of the character `code`, which is one.
void append_character(uint32_t code, std::string& out);

}  // namespace spillway
