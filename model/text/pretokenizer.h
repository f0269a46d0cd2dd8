#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/result.h"

namespace spillway {

// The ways to cut a text into pieces before byte pairs are merged; no token reaches over a cut. Each way
// stands for the regular expression that its models were trained with. It is matched by hand, since
// std::regex supports neither Unicode classes nor look-ahead.
enum class PreTokenizer : uint8_t {
  gpt2,    // GPT-2's own, which OLMo and OLMoE share
  qwen2,   // Qwen2 to Qwen3: any character may lead a word, digits stand alone
  qwen35,  // Qwen3.5: qwen2 with combining marks counted as letters
};

// Finds the pre-tokenizer by the value of the key tokenizer.ggml.pre.
Result<PreTokenizer> find_pre_tokenizer(std::string_view name);

// Returns the length in bytes, at least 1, of the first piece of `text`, which is not empty. A byte that is
// not valid UTF-8 counts as a character that is neither letter nor number nor space.
size_t first_piece(PreTokenizer how, std::string_view text);

}  // namespace spillway
