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
  uint32_t most_tokens = 256;  // to generate for each prompt
  uint32_t batch = 512;        // prompt tokens of one forward pass, at most
  bool ignore_end = false;     // go on after the token that ends a reply
};

// Feeds prompts one after the other, each a sequence of its own, and after each the tokens that the sampler
// chooses from what the model says.
class Generation final : public TokenFeed {
 public:
  using Sink = std::function<void(std::string_view text)>;

  // `prompts`: none of them empty. `sink` gets the text as it comes.
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
  size_t at_ = 0;         // which prompt
  size_t fed_ = 0;        // tokens of it
  uint32_t replied_ = 0;  // tokens generated for it
  TokenId last_ = 0;      // the last of them
  uint64_t generated_ = 0;
};

// Feeds given tokens as one sequence, `together` at a time, and hands every token's logits on.
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
