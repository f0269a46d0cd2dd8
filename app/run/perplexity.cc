#include "app/run/perplexity.h"

#include <algorithm>
#include <cmath>

#include "app/cli/progress.h"
#include "core/json.h"
#include "host/file.h"
#include "model/sampler.h"

namespace spillway {
namespace {

// Feeds a text in windows, each a sequence of its own, and sums up how much the tokens at the end of each
// window surprise the model. These are the tokens of the window's second half, or as many as windows are
// apart if that is less: the first tokens of a window have too little context to be counted. llama.cpp's
// tool does the same.
class Windows final : public TokenFeed {
 public:
  Windows(std::vector<TokenId> tokens, std::optional<TokenId> opening, const PerplexityOptions& options)
      : tokens_(std::move(tokens)),
        opening_(opening),
        context_(options.context),
        stride_(options.stride),
        batch_(options.batch),
        first_scored_(std::max(options.context / 2, options.context - options.stride)) {}

  size_t count() const { return tokens_.size() < context_ ? 0 : (tokens_.size() - context_) / stride_ + 1; }
  // Returns the number of scored tokens of all windows together.
  uint64_t tokens_to_score() const { return count() * (context_ - 1 - first_scored_); }

  Result<bool> next(Batch& batch) override {
    if (fed_ == context_) {
      fed_ = 0;
      ++window_;
    }
    if (window_ == count() || interrupted()) {
      return false;
    }
    first_ = fed_;
    const uint32_t end = std::min(context_, fed_ + batch_);
    const auto from = tokens_.begin() + ptrdiff_t(window_ * stride_);
    batch.tokens.assign(from + fed_, from + end);
    if (fed_ == 0 && opening_) {
      batch.tokens.front() = *opening_;
    }
    batch.sequence = uint32_t(window_);
    batch.begins_sequence = fed_ == 0;
    batch.first_logits = first_scored_ - std::min(first_scored_, first_);
    batch.phase = Phase::prefill;
    fed_ = end;
    return true;
  }

  Result<void> logits(uint32_t index, std::span<const float> values) override {
    const uint32_t position = first_ + index;
    if (position < first_scored_ || position + 1 >= context_) {
      return {};
    }
    const double nats = -log_probability(values, tokens_[window_ * stride_ + position + 1]);
    if (!std::isfinite(nats)) {
      return failed("window {}, token {}: the model's logits are not finite", window_, position);
    }
    sum_ += nats;
    squares_ += nats * nats;
    ++scored_;
    return {};
  }

  size_t window() const { return window_; }
  uint64_t scored() const { return scored_; }
  double mean_nats() const { return sum_ / double(scored_); }
  double value() const { return std::exp(mean_nats()); }

  // Returns the standard error of value(): that of the mean surprise, scaled.
  double standard_error() const {
    const double variance = std::max(squares_ / double(scored_) - mean_nats() * mean_nats(), 0.0);
    return scored_ < 2 ? 0.0 : value() * std::sqrt(variance / double(scored_ - 1));
  }

 private:
  const std::vector<TokenId> tokens_;
  const std::optional<TokenId> opening_;
  const uint32_t context_;
  const uint32_t stride_;
  const uint32_t batch_;
  const uint32_t first_scored_;  // position in a window whose logits count
  size_t window_ = 0;
  uint32_t fed_ = 0;    // tokens of the window that were fed
  uint32_t first_ = 0;  // position of the batch's first token
  double sum_ = 0;
  double squares_ = 0;
  uint64_t scored_ = 0;
};

// Reports the number of scored tokens to a progress bar.
class Watched final : public TokenFeed {
 public:
  Watched(Windows& windows, Progress& progress) : windows_(windows), progress_(progress) {}
  Result<bool> next(Batch& batch) override {
    Result<bool> more = windows_.next(batch);
    progress_.at(windows_.scored());
    return more;
  }
  Result<void> logits(uint32_t index, std::span<const float> values) override {
    return windows_.logits(index, values);
  }

 private:
  Windows& windows_;
  Progress& progress_;
};

Result<std::vector<TokenId>> take_text(const PerplexityOptions& options, const LiveRun& run) {
  Result<std::string> text = read_whole(options.file);
  if (!text) {
    return propagate(text);
  }
  // The line end that closes the file is not part of the text.
  if (text->ends_with('\n')) {
    text->pop_back();
  }
  const Result<const Tokenizer*> tokenizer = run.live->tokenizer();
  if (!tokenizer) {
    return Unexpected(tokenizer.error());
  }
  Result<std::vector<TokenId>> tokens = (*tokenizer)->encode(*text);
  if (tokens && (*tokenizer)->opening()) {
    tokens->insert(tokens->begin(), *(*tokenizer)->opening());
  }
  return tokens;
}

// Opens and reads everything that decoding needs.
Result<void> prepare(const PerplexityOptions& options, LiveRun& run) {
  if (const uint64_t trained = run.live->trained_context(); trained > 0 && options.context > trained) {
    run.notes.push_back(
        fmt::format("a window has {} tokens, and the model was trained for {} (context_length)",
                    options.context, trained));
  }
  run.context = options.context;
  run.longest_text = options.context;
  run.length_option = fmt::format("--context {}", options.context);
  run.batch = options.batch;
  if (Result<void> equipped = equip_live(options, run); !equipped) {
    return equipped;
  }
  return load_live(options, run);
}

}  // namespace

Result<Perplexity> measure_perplexity(const PerplexityOptions& options, const Invocation& invocation) {
  LiveRun run;
  if (Result<void> opened = open_live(options, run); !opened) {
    return propagate(opened);
  }
  Result<std::vector<TokenId>> tokens = take_text(options, run);
  if (!tokens) {
    return propagate(tokens);
  }
  if (tokens->size() < options.context) {
    return failed("{}: has {} tokens, and a window has {}; give a longer text or a smaller --context",
                  options.file, tokens->size(), options.context);
  }
  if (Result<void> prepared = prepare(options, run); !prepared) {
    return propagate(prepared);
  }
  Report report = begin_live_report("perplexity", options, run, invocation);
  report.config.emplace_back("tokens", fmt::format("{}", tokens->size()));
  report.config.emplace_back("stride", fmt::format("{}", options.stride));
  Windows windows(std::move(*tokens), (*run.live->tokenizer())->opening(), options);
  {
    Progress progress("scoring", windows.tokens_to_score(), Progress::Unit::tokens);
    Watched feed(windows, progress);
    if (Result<void> ran = run_live(options, run, feed, nullptr, report); !ran) {
      return propagate(ran);
    }
  }
  if (windows.scored() == 0) {
    return failed("interrupted before a token was scored");
  }
  return Perplexity{windows.value(),  windows.standard_error(), windows.mean_nats(),
                    windows.scored(), windows.window(),         std::move(report)};
}

Json to_json(const Perplexity& perplexity) {
  Json json = to_json(perplexity.report);
  json["perplexity"] = {{"value", perplexity.value},
                        {"standard_error", perplexity.standard_error},
                        {"mean_nats", perplexity.mean_nats},
                        {"scored_tokens", perplexity.scored_tokens},
                        {"windows", perplexity.windows}};
  return json;
}

}  // namespace spillway
