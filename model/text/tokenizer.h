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

// The meaning of a text like <|im_end|> in the input: its characters, or the token that it names.
enum class ControlText { is_text, is_token };

// Byte-level byte-pair encoding. Holds copies of the parts of the vocabulary that it needs. Several threads
// may call const functions at the same time.
//
// Any sequence of bytes can be encoded and comes back from decode() unchanged. (llama.cpp replaces bytes that
// are not valid UTF-8 by U+FFFD; for valid text both give the same tokens.)
class Tokenizer {
 public:
  // Fails on a vocabulary that contradicts itself; the error names the key and the index.
  static Result<Tokenizer> make(const Vocabulary& vocabulary);

  // Returns the number of tokens; ids are less than that.
  size_t size() const { return types_.size(); }

  // Encodes `text`, without the opening token (see opening()). Fails when `text` has a byte for which the
  // vocabulary has no token.
  Result<std::vector<TokenId>> encode(std::string_view text,
                                      ControlText control = ControlText::is_text) const;

  // Returns the token that a prompt must begin with, if the model was trained so.
  std::optional<TokenId> opening() const { return opening_; }

  // Returns the bytes that the token stands for; for a control token, its text. The bytes may begin and end
  // inside a character.
  std::string_view token_bytes(TokenId id) const;
  bool is_control(TokenId id) const;

  // Returns the bytes of all tokens; without those of control tokens unless `with_control`.
  std::string decode(std::span<const TokenId> ids, bool with_control = false) const;

  // Returns whether this token ends a generated reply.
  bool ends_generation(TokenId id) const;

  // Returns the control or user-defined token with that text.
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
  std::string bytes_;          // the bytes of all tokens, one after another
  std::vector<size_t> start_;  // the start of each token in bytes_, then the end of the last
  std::vector<TokenType> types_;
  std::vector<bool> ends_generation_;
  std::vector<Special> specials_;           // the longest text first
  std::array<TokenId, 256> byte_tokens_{};  // kNoToken for a byte without a token
  MergeTable merges_;
  std::optional<TokenId> opening_;
};

}  // namespace spillway
