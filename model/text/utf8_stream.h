#pragma once

#include <string>
#include <string_view>

namespace spillway {

// Composes whole characters from bytes that come in pieces, as tokens do. All returned text is valid UTF-8:
// bytes that can no longer become part of a character are replaced by U+FFFD.
class Utf8Stream {
 public:
  // Returns the characters that `bytes` completes. An incomplete last character is held back.
  std::string push(std::string_view bytes);
  // Returns U+FFFD for a character that was never completed, otherwise an empty text.
  std::string finish();

 private:
  std::string held_;
};

}  // namespace spillway
