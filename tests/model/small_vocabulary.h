#pragma once

#include <deque>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "model/text/vocabulary.h"

namespace spillway {

// Returns the text under which a vocabulary lists a byte, by the definition of GPT-2's alphabet.
inline std::string listed_byte(int wanted) {
  const auto prints = [](int byte) {
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  };
  int character = wanted;
  if (!prints(wanted)) {
    character = 0x100;
    for (int byte = 0; byte < wanted; ++byte) {
      character += prints(byte) ? 0 : 1;
    }
  }
  if (character < 0x80) {
    return {char(character)};
  }
  return {char(0xc0 | (character >> 6)), char(0x80 | (character & 0x3f))};
}

inline std::string listed(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    text += listed_byte(static_cast<unsigned char>(byte));
  }
  return text;
}

// A vocabulary made by hand: the 256 bytes under their own numbers, then the tokens that a test adds.
class SmallVocabulary {
 public:
  explicit SmallVocabulary(std::string pre = "qwen2") {
    it_.pre = std::move(pre);
    for (int byte = 0; byte < 256; ++byte) {
      add(listed_byte(byte), TokenType::normal);
    }
  }

  // Adds a token with exactly this text; returns its id.
  TokenId add(std::string_view text, TokenType type) {
    it_.tokens.push_back(keep(text));
    it_.types.push_back(int32_t(type));
    return TokenId(it_.tokens.size() - 1);
  }

  // Adds a merge rule, behind the earlier ones, and its token; both sides are given as bytes.
  TokenId merge(std::string_view left, std::string_view right) {
    merge_line(listed(left) + " " + listed(right));
    return add(listed(left) + listed(right), TokenType::normal);
  }

  void merge_line(std::string_view line) { it_.merges.push_back(keep(line)); }

  Vocabulary& operator*() { return it_; }
  Vocabulary* operator->() { return &it_; }

 private:
  std::string_view keep(std::string_view text) { return texts_.emplace_back(text); }

  Vocabulary it_;
  std::deque<std::string> texts_;  // a deque never moves its elements
};

}  // namespace spillway
