#include "model/text/utf8_stream.h"

#include <algorithm>
#include <cstddef>

namespace spillway {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// The rest of a character, as its first byte determines it. The bounds of the second byte exclude forms
// longer than needed, surrogates, and code points beyond U+10FFFF.
struct Shape {
  size_t bytes = 0;  // 0: no character begins with this byte
  unsigned char second_from = 0x80;
  unsigned char second_to = 0xbf;
};

Shape shape_of(unsigned char first) {
  if (first < 0x80) {
    return {1};
  }
  if (first < 0xc2 || first > 0xf4) {
    return {0};
  }
  if (first < 0xe0) {
    return {2};
  }
  if (first < 0xf0) {
    return {3, static_cast<unsigned char>(first == 0xe0 ? 0xa0 : 0x80),
            static_cast<unsigned char>(first == 0xed ? 0x9f : 0xbf)};
  }
  return {4, static_cast<unsigned char>(first == 0xf0 ? 0x90 : 0x80),
          static_cast<unsigned char>(first == 0xf4 ? 0x8f : 0xbf)};
}

// Returns how many of the first bytes of `text` can belong to a character of that shape.
size_t fitting_bytes(const Shape& shape, std::string_view text) {
  const size_t most = std::min(shape.bytes, text.size());
  size_t fitting = std::min<size_t>(most, 1);
  for (; fitting < most; ++fitting) {
    const unsigned char byte = static_cast<unsigned char>(text[fitting]);
    const unsigned char from = fitting == 1 ? shape.second_from : 0x80;
    const unsigned char to = fitting == 1 ? shape.second_to : 0xbf;
    if (byte < from || byte > to) {
      break;
    }
  }
  return fitting;
}

}  // namespace

std::string Utf8Stream::push(std::string_view bytes) {
  held_ += bytes;
  std::string whole;
  std::string_view rest = held_;
  while (!rest.empty()) {
    const Shape shape = shape_of(static_cast<unsigned char>(rest.front()));
    const size_t fitting = fitting_bytes(shape, rest);
    if (fitting < shape.bytes && fitting == rest.size()) {
      break;
    }
    const bool is_character = shape.bytes > 0 && fitting == shape.bytes;
    whole += is_character ? rest.substr(0, fitting) : kReplacement;
    rest.remove_prefix(std::max<size_t>(fitting, 1));
  }
  held_.erase(0, held_.size() - rest.size());
  return whole;
}

std::string Utf8Stream::finish() {
  std::string last(held_.empty() ? std::string_view() : kReplacement);
  held_.clear();
  return last;
}

}  // namespace spillway
