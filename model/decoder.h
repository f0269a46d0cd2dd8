#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/ports.h"
#include "model/model.h"
#include "model/text/vocabulary.h"

namespace spillway {

// The tokens of one forward pass.
struct Batch {
  std::vector<TokenId> tokens;
  uint32_t sequence = 0;
  Phase phase = Phase::decode;
  bool begins_sequence = false;  // forget what was before
  // The tokens from here on have their logits handed on; the last one always has.
  uint32_t first_logits = kLastAlone;
  static constexpr uint32_t kLastAlone = ~uint32_t{0};
};

// Says what to compute and takes the results; the decoder's other end.
struct TokenFeed {
  virtual ~TokenFeed() = default;
  // Fills `batch` with at least one token and returns true; false at the end.
  virtual Result<bool> next(Batch& batch) = 0;
  // The logits, [vocabulary], of token `index` of the batch that was just computed.
  virtual Result<void> logits(uint32_t index, std::span<const float> values) = 0;
};

struct DecoderOptions {
  uint32_t context = 0;  // what the model was built for
  // Layers ahead whose routers are shown what this layer's router sees. What they would choose, in steps of
  // one token, is the step's look-ahead: the nearest layer's first, the likeliest of a layer first.
  uint32_t lookahead = 0;
};

// Memory for a pass of so many tokens, about: what a decoder works in beside the model and its context.
uint64_t working_bytes(const Model& model, uint32_t tokens);

// A model that is really computing, behind the ports that a trace is replayed through: its router is the
// source of steps, its arithmetic the compute. One layer of one forward pass is one step; the experts' bytes
// come from whoever runs the steps. The results of a token's experts are added in the order of the router's
// choice, so that the text does not depend on when which expert was there.
class Decoder final : public StepSource, public Compute {
 public:
  // Takes each step when its experts are computed, with the times it took.
  using Recorder = std::function<Result<void>(const Step&)>;

  // References must outlive this.
  Decoder(Model& model, Engine& engine, TokenFeed& feed, const Clock& clock, const DecoderOptions& options,
          Recorder recorder);

  const SourceInfo& info() const override { return info_; }
  Result<bool> next(Step& step) override;
  Nanoseconds attention(const Step& step, Nanoseconds began) override;
  Nanoseconds shared_expert(const Step& step, Nanoseconds now) override;
  Nanoseconds expert(const Step& step, ExpertId id, ExpertBytes bytes, Nanoseconds now) override;

 private:
  Result<void> begin_pass();
  Result<void> end_pass();
  Result<void> end_step();
  void mix(Layer& layer);
  Result<void> route(const Layer& layer);
  bool choose(float* p);
  void look_ahead();
  void add_experts();
  void add_shared(const SharedExpert& shared);
  float* residual(uint32_t token) { return residual_.data() + size_t{token} * model_.width; }

  Model& model_;
  Engine& engine_;
  TokenFeed& feed_;
  const Clock& clock_;
  const DecoderOptions options_;
  Recorder recorder_;
  SourceInfo info_;
  FeedForward feed_forward_;

  Batch batch_;
  uint32_t position_ = 0;  // of the batch's first token
  bool in_step_ = false;
  bool shared_is_there_ = false;
  uint64_t next_step_ = 0;
  uint64_t next_pass_ = 0;
  uint32_t next_layer_ = 0;  // of the pass; 0: a pass begins
  Step step_;                // the one being computed
  Nanoseconds experts_time_{0};
  std::vector<bool> seen_;
  std::vector<float> residual_;     // [tokens][width]
  std::vector<float> mixed_;        // [tokens][width]
  std::vector<float> probability_;  // [tokens][experts]
  std::vector<float> results_;      // [tokens][top_k][width], what each chosen expert gave
  std::vector<float> expert_out_;   // [rows][width]
  std::vector<float> shared_out_;   // [tokens][width], not yet gated
  std::vector<float> logits_;       // [kLogitsTogether][vocabulary]
  MixerScratch mixer_scratch_;
  std::vector<uint32_t> rows_;   // tokens that chose an expert
  std::vector<uint32_t> slots_;  // and which of its choices it was: an index of results_
  std::vector<uint16_t> order_;  // a token's experts, the chosen ones first
  Activations normed_;
  Activations last_;
  Activations ahead_;
};

}  // namespace spillway
