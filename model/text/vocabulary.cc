#include "model/text/vocabulary.h"

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

Result<std::optional<uint32_t>> read_id(const GgufMetadata& metadata, std::string_view key) {
  if (!metadata.has(key)) {
    return std::optional<uint32_t>();
  }
  Result<uint32_t> id = metadata.integer<uint32_t>(key);
  return id ? Result<std::optional<uint32_t>>(*id) : propagate(id);
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
  std::string_view pre;
  Result<void> outcome;
  const bool whole =
      take(metadata.text("tokenizer.ggml.pre"), pre, outcome) &&
      take(read_texts(metadata, "tokenizer.ggml.tokens"), vocabulary.tokens, outcome) &&
      take(metadata.integers<int32_t>("tokenizer.ggml.token_type"), vocabulary.types, outcome) &&
      take(read_texts(metadata, "tokenizer.ggml.merges"), vocabulary.merges, outcome) &&
      take(read_id(metadata, "tokenizer.ggml.bos_token_id"), vocabulary.bos, outcome) &&
      take(read_id(metadata, "tokenizer.ggml.eos_token_id"), vocabulary.eos, outcome) &&
      take(read_id(metadata, "tokenizer.ggml.eot_token_id"), vocabulary.eot, outcome) &&
      take(read_id(metadata, "tokenizer.ggml.eom_token_id"), vocabulary.eom, outcome) &&
      take(metadata.flag("tokenizer.ggml.add_bos_token", false), vocabulary.add_bos, outcome);
  if (!whole) {
    return propagate(outcome);
  }
  vocabulary.pre = pre;
  return vocabulary;
}

}  // namespace spillway
