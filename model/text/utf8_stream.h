#pragma once

#include <string>
#include <string_view>

namespace spillway {

// Makes whole characters of bytes that come in pieces, as tokens do. What it returns is valid UTF-8: bytes
// that cannot be part of a character any more become U+FFFD.
class Utf8Stream {
 public:
  // The characters that `bytes` completes; the last one is held back while it lacks bytes.
  std::string push(std::string_view bytes);
  // U+FFFD for a character that was never completed; nothing otherwise.
  std::string finish();

 private:
  std::string held_;
};

}  // namespace spillway
