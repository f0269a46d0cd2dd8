#include "app/run/feeds.h"

#include <algorithm>

#include "app/cli/cli.h"
#include "core/expects.h"

namespace spillway {

Generation::Generation(const Tokenizer& tokenizer, std::vector<std::vector<TokenId>> prompts, Sampler sampler,
                       const GenerationOptions& options, Sink sink)
    : tokenizer_(tokenizer),
      prompts_(std::move(prompts)),
      sampler_(std::move(sampler)),
      options_(options),
      sink_(std::move(sink)) {
  Expects(std::none_of(prompts_.begin(), prompts_.end(), [](const auto& prompt) { return prompt.empty(); }));
}

Result<bool> Generation::next(Batch& batch) {
  if (at_ == prompts_.size() || interrupted()) {
    return false;
  }
  const std::vector<TokenId>& prompt = prompts_[at_];
  batch.sequence = uint32_t(at_);
  batch.begins_sequence = fed_ == 0;
  batch.first_logits = Batch::kLastAlone;
  if (!prompt_is_fed()) {
    const size_t end = std::min(prompt.size(), fed_ + options_.batch);
    batch.tokens.assign(prompt.begin() + ptrdiff_t(fed_), prompt.begin() + ptrdiff_t(end));
    batch.phase = Phase::prefill;
    fed_ = end;
  } else {
    batch.tokens.assign(1, last_);
    batch.phase = Phase::decode;
  }
  return true;
}

Result<void> Generation::logits(uint32_t /*index*/, std::span<const float> values) {
  if (!prompt_is_fed()) {
    return {};
  }
  Result<TokenId> chosen = sampler_.sample(values);
  if (!chosen) {
    return propagate(chosen);
  }
  last_ = *chosen;
  const bool ends = tokenizer_.ends_generation(last_) && !options_.ignore_end;
  if (!ends) {
    ++replied_;
    ++generated_;
    // Control tokens steer the model and are not text. They are shown only if the user asked to go on after
    // the end of a reply.
    if (!tokenizer_.is_control(last_) || options_.ignore_end) {
      sink_(text_.push(tokenizer_.token_bytes(last_)));
    }
  }
  if (ends || replied_ == options_.most_tokens) {
    end_sequence();
  }
  return {};
}

void Generation::end_sequence() {
  sink_(text_.finish() + "\n");
  ++at_;
  fed_ = 0;
  replied_ = 0;
}

GivenTokens::GivenTokens(std::vector<TokenId> tokens, uint32_t together, Sink sink)
    : tokens_(std::move(tokens)), together_(together), sink_(std::move(sink)) {
  Expects(together > 0);
}

Result<bool> GivenTokens::next(Batch& batch) {
  if (fed_ == tokens_.size() || interrupted()) {
    return false;
  }
  const size_t end = std::min(tokens_.size(), fed_ + together_);
  batch.tokens.assign(tokens_.begin() + ptrdiff_t(fed_), tokens_.begin() + ptrdiff_t(end));
  batch.sequence = 0;
  batch.begins_sequence = fed_ == 0;
  batch.first_logits = 0;
  batch.phase = together_ > 1 ? Phase::prefill : Phase::decode;
  fed_ = end;
  return true;
}

Result<void> GivenTokens::logits(uint32_t /*index*/, std::span<const float> values) {
  return sink_(values);
}

}  // namespace spillway
