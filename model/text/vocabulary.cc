#include "model/text/vocabulary.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace spillway {
namespace {

Result<std::vector<std::string_view>> read_texts(const GgufMetadata& metadata, std::string_view key) {
  Result<const StringArray*> array = metadata.texts(key);
  if (!array) {
    return propagate(array);
  }
  std::vector<std::string_view> texts;
  texts.reserve((*array)->size());
  for (size_t i = 0; i < (*array)->size(); ++i) {
    texts.push_back((**array)[i]);
  }
  return texts;
}

// The pre-tokenizers of files that do not name theirs, by architecture.
struct UsualPre {
  std::string_view architecture;
  std::string_view pre;
};
constexpr std::array kUsualPre = {UsualPre{"qwen3moe", "qwen2"}, UsualPre{"qwen35moe", "qwen35"},
                                  UsualPre{"olmoe", "olmo"}};

Result<std::string> read_pre(const GgufMetadata& metadata, std::vector<std::string>& notes) {
  constexpr std::string_view kKey = "tokenizer.ggml.pre";
  const std::string_view architecture = metadata.text("general.architecture", "").value_or("");
  const auto* usual = std::find_if(kUsualPre.begin(), kUsualPre.end(), [&](const UsualPre& candidate) {
    return candidate.architecture == architecture;
  });
  if (metadata.has(kKey) || usual == kUsualPre.end()) {
    const Result<std::string_view> named = metadata.text(kKey);
    return named ? Result<std::string>(std::string(*named)) : Unexpected(named.error());
  }
  notes.push_back(fmt::format("{} is missing: text is cut as '{}' does, as usual for {}", kKey, usual->pre,
                              architecture));
  return std::string(usual->pre);
}

// Returns nothing for a token that does not exist. Files have -1 or 4294967295 there for "none".
Result<std::optional<uint32_t>> read_id(const GgufMetadata& metadata, std::string_view key, size_t tokens,
                                        std::vector<std::string>& notes) {
  if (!metadata.has(key)) {
    return std::optional<uint32_t>();
  }
  const Result<int64_t> id = metadata.integer<int64_t>(key);
  if (!id) {
    return Unexpected(id.error());
  }
  if (*id < 0 || uint64_t(*id) >= tokens) {
    notes.push_back(
        fmt::format("{} is {}, but there are {} tokens: no token has that meaning", key, *id, tokens));
    return std::optional<uint32_t>();
  }
  return std::optional(uint32_t(*id));
}

Result<std::vector<int32_t>> read_types(const GgufMetadata& metadata, size_t tokens,
                                        std::vector<std::string>& notes) {
  constexpr std::string_view kKey = "tokenizer.ggml.token_type";
  if (metadata.has(kKey)) {
    return metadata.integers<int32_t>(kKey);
  }
  notes.push_back(fmt::format("{} is missing: every token is taken for ordinary text", kKey));
  return std::vector<int32_t>(tokens, int32_t(TokenType::normal));
}

// Moves a value that was read to `into`, or its error to `outcome`. Returns whether to read on.
template <class T>
bool take(Result<T> value, T& into, Result<void>& outcome) {
  if (value) {
    into = std::move(*value);
  } else {
    outcome = propagate(value);
  }
  return outcome.has_value();
}

}  // namespace

Result<Vocabulary> read_vocabulary(const GgufMetadata& metadata) {
  Result<std::string_view> model = metadata.text("tokenizer.ggml.model");
  if (!model) {
    return propagate(model);
  }
  if (*model != "gpt2") {
    return failed("tokenizer.ggml.model is '{}'; only byte-level BPE ('gpt2') is supported", *model);
  }
  Vocabulary vocabulary;
  std::vector<std::string>& notes = vocabulary.notes;
  Result<void> outcome;
  const auto id = [&](std::string_view key) {
    return read_id(metadata, key, vocabulary.tokens.size(), notes);
  };
  const bool whole = take(read_pre(metadata, notes), vocabulary.pre, outcome) &&
                     take(read_texts(metadata, "tokenizer.ggml.tokens"), vocabulary.tokens, outcome) &&
                     take(read_types(metadata, vocabulary.tokens.size(), notes), vocabulary.types, outcome) &&
                     take(read_texts(metadata, "tokenizer.ggml.merges"), vocabulary.merges, outcome) &&
                     take(id("tokenizer.ggml.bos_token_id"), vocabulary.bos, outcome) &&
                     take(id("tokenizer.ggml.eos_token_id"), vocabulary.eos, outcome) &&
                     take(id("tokenizer.ggml.eot_token_id"), vocabulary.eot, outcome) &&
                     take(id("tokenizer.ggml.eom_token_id"), vocabulary.eom, outcome) &&
                     take(metadata.flag("tokenizer.ggml.add_bos_token", false), vocabulary.add_bos, outcome);
  if (!whole) {
    return propagate(outcome);
  }
  if (vocabulary.add_bos && !vocabulary.bos) {
    notes.push_back(
        "tokenizer.ggml.add_bos_token is set, but there is no such token: texts begin without one");
    vocabulary.add_bos = false;
  }
  return vocabulary;
}

}  // namespace spillway
