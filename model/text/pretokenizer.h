#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/result.h"

namespace spillway {

// How a text is cut into pieces before byte pairs are merged; no token reaches over a cut. Each stands for
// the regular expression that its models were trained with, matched by hand because std::regex knows neither
// Unicode classes nor look-ahead.
enum class PreTokenizer : uint8_t {
  gpt2,    // GPT-2's own, which OLMo and OLMoE share
  qwen2,   // Qwen2 to Qwen3: any character may lead a word, digits stand alone
  qwen35,  // Qwen3.5: qwen2 with combining marks counted as letters
};

// By the name that tokenizer.ggml.pre gives it.
Result<PreTokenizer> find_pre_tokenizer(std::string_view name);

// The bytes of the first piece of `text`, which is not empty; at least one. A byte that is no UTF-8 counts as
// a character of its own that is neither letter nor number nor space.
size_t first_piece(PreTokenizer how, std::string_view text);

}  // namespace spillway
