#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/gguf/gguf_metadata.h"

namespace spillway {

using TokenId = int32_t;

// The numbers of tokenizer.ggml.token_type.
enum class TokenType : int32_t {
  normal = 1,
  unknown = 2,
  control = 3,       // has a meaning for the model and is not text: <|im_end|>
  user_defined = 4,  // text that is always one token, never merged
  unused = 5,        // fills up the embedding table
  byte = 6,
};

// The token data of a model file, unchecked. The texts are views into the file's metadata.
struct Vocabulary {
  std::string pre;                       // the name of the pre-tokenizer
  std::vector<std::string_view> tokens;  // by id; normal ones in GPT-2's alphabet of bytes
  std::vector<int32_t> types;            // by id, a TokenType each
  std::vector<std::string_view> merges;  // "left right", in the order of their rank
  std::optional<uint32_t> bos;
  std::optional<uint32_t> eos;
  std::optional<uint32_t> eot;
  std::optional<uint32_t> eom;
  bool add_bos = false;
  std::vector<std::string> notes;  // what the file says that cannot be so, and what was taken instead
};

// Reads the vocabulary of a byte-level BPE model; fails on a model with another kind of tokenizer. Keys that
// many files lack, or have wrong without harm, become notes. `metadata` must outlive it.
Result<Vocabulary> read_vocabulary(const GgufMetadata& metadata);

}  // namespace spillway
