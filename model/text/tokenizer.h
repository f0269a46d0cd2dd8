#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/text/byte_pairs.h"
#include "model/text/pretokenizer.h"
#include "model/text/vocabulary.h"

namespace spillway {

// What a text like <|im_end|> in the input becomes: the characters it is written with, or the token it names.
enum class ControlText { is_text, is_token };

// Byte-level byte-pair encoding. Holds copies of what it needs of the vocabulary; const calls from several
// threads are fine.
//
// Any sequence of bytes can be encoded and comes back from decode() unchanged. (llama.cpp puts U+FFFD in the
// place of bytes that are no UTF-8; for valid text both give the same tokens.)
class Tokenizer {
 public:
  // Fails on a vocabulary that contradicts itself, naming the key and index.
  static Result<Tokenizer> make(const Vocabulary& vocabulary);

  // How many tokens there are; ids are less than that.
  size_t size() const { return types_.size(); }

  // Adds nothing in front (see opening()). Fails when `text` has a byte for which the vocabulary has no
  // token.
  Result<std::vector<TokenId>> encode(std::string_view text,
                                      ControlText control = ControlText::is_text) const;

  // What a prompt has to begin with, in a model that was trained so.
  std::optional<TokenId> opening() const { return opening_; }

  // The bytes that the token stands for, for a control token its text. They may begin and end inside a
  // character.
  std::string_view token_bytes(TokenId id) const;
  bool is_control(TokenId id) const;

  // The bytes of all, control tokens left out unless asked for.
  std::string decode(std::span<const TokenId> ids, bool with_control = false) const;

  // Whether a model that chose this token has nothing more to say.
  bool ends_generation(TokenId id) const;

  // The control or user-defined token of that text.
  std::optional<TokenId> find_special(std::string_view text) const;

 private:
  friend class TokenizerBuilder;

  struct Special {
    TokenId id = 0;
    bool is_control = false;
  };
  struct Fragment;

  Tokenizer() = default;
  std::vector<Fragment> split_at_specials(std::string_view text, ControlText control) const;
  Result<void> encode_plain(std::string_view text, size_t offset, PairMerger& merger,
                            std::vector<TokenId>& out) const;

  PreTokenizer pre_tokenizer_{};
  std::string bytes_;          // of all tokens, one after another
  std::vector<size_t> start_;  // of each in bytes_, and the end
  std::vector<TokenType> types_;
  std::vector<bool> ends_generation_;
  std::vector<Special> specials_;           // the longest text first
  std::array<TokenId, 256> byte_tokens_{};  // kNoToken where there is none
  MergeTable merges_;
  std::optional<TokenId> opening_;
};

}  // namespace spillway
