#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "model/decoder.h"
#include "model/sampler.h"
#include "model/text/tokenizer.h"
#include "model/text/utf8_stream.h"

namespace spillway {

struct GenerationOptions {
  uint32_t most_tokens = 256;  // generated for each prompt at most
  uint32_t batch = 512;        // prompt tokens of one forward pass at most
  bool ignore_end = false;     // go on after the token that ends a reply
};

// Feeds prompts one after the other, each a sequence of its own. After each prompt, feeds the tokens that the
// sampler chooses from the model's logits.
class Generation final : public TokenFeed {
 public:
  using Sink = std::function<void(std::string_view text)>;

  // None of `prompts` is empty. `sink` gets the generated text as it comes.
  Generation(const Tokenizer& tokenizer, std::vector<std::vector<TokenId>> prompts, Sampler sampler,
             const GenerationOptions& options, Sink sink);

  Result<bool> next(Batch& batch) override;
  Result<void> logits(uint32_t index, std::span<const float> values) override;

  uint64_t generated() const { return generated_; }

 private:
  bool prompt_is_fed() const { return fed_ == prompts_[at_].size(); }
  void end_sequence();

  const Tokenizer& tokenizer_;
  const std::vector<std::vector<TokenId>> prompts_;
  Sampler sampler_;
  const GenerationOptions options_;
  Sink sink_;
  Utf8Stream text_;
  size_t at_ = 0;         // index of the current prompt
  size_t fed_ = 0;        // tokens of the current prompt that were fed
  uint32_t replied_ = 0;  // tokens generated for the current prompt
  TokenId last_ = 0;      // the last generated token
  uint64_t generated_ = 0;
};

// Feeds given tokens as one sequence, `together` at a time, and passes every token's logits to `sink`.
class GivenTokens final : public TokenFeed {
 public:
  using Sink = std::function<Result<void>(std::span<const float> logits)>;

  GivenTokens(std::vector<TokenId> tokens, uint32_t together, Sink sink);

  Result<bool> next(Batch& batch) override;
  Result<void> logits(uint32_t index, std::span<const float> values) override;

 private:
  const std::vector<TokenId> tokens_;
  const uint32_t together_;
  Sink sink_;
  size_t fed_ = 0;
};

}  // namespace spillway
