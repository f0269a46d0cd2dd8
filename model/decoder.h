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
  bool begins_sequence = false;  // the layers forget all earlier tokens first
  // Index of the first token whose logits are handed on. The last token's always are.
  uint32_t first_logits = kLastAlone;
  static constexpr uint32_t kLastAlone = ~uint32_t{0};
};

// The decoder's other end: says which tokens to compute and receives the logits.
struct TokenFeed {
  virtual ~TokenFeed() = default;
  // Fills `batch` with at least one token and returns true; false at the end.
  virtual Result<bool> next(Batch& batch) = 0;
  // Receives the logits, [vocabulary], of token `index` of the batch that was just computed.
  virtual Result<void> logits(uint32_t index, std::span<const float> values) = 0;
};

struct DecoderOptions {
  uint32_t context = 0;  // tokens that the model was built for
  // The number of following layers whose routers are applied already in this layer, to what its own router
  // sees. Their choices become the look-ahead of steps of one token: the nearest layer first, within a layer
  // the most probable expert first.
  uint32_t lookahead = 0;
};

// Estimates the memory that a pass of `tokens` tokens works in, beside the model and its context.
uint64_t working_bytes(const Model& model, uint32_t tokens);

// A model that computes live, behind the same ports through which a trace is replayed: its router is the
// source of steps, its arithmetic the compute. One layer of one forward pass is one step. The experts' bytes
// come from the caller that runs the steps. A token's expert results are added in the order of the router's
// choice, so that the generated text does not depend on the order in which experts arrive.
class Decoder final : public StepSource, public Compute {
 public:
  // Called with each step once its experts are computed and its times are known.
  using Recorder = std::function<Result<void>(const Step&)>;

  // All references must outlive the decoder.
  Decoder(Model& model, Engine& engine, TokenFeed& feed, const Clock& clock, const DecoderOptions& options,
          Recorder recorder);

  const SourceInfo& info() const override { return info_; }
  Result<bool> next(Step& step) override;
  Nanoseconds attention(const Step& step, Nanoseconds began) override;
  Nanoseconds shared_expert(const Step& step, Nanoseconds now) override;
  Nanoseconds expert(const Step& step, ExpertId id, ExpertBytes bytes, Nanoseconds now) override;

  // True when an error of next() was a value that is no finite number: a weight is damaged.
  bool saw_non_finite() const { return saw_non_finite_; }

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
  bool saw_non_finite_ = false;
  bool shared_is_there_ = false;
  uint64_t next_step_ = 0;
  uint64_t next_pass_ = 0;
  uint32_t next_layer_ = 0;  // of the pass; 0: a new pass begins
  Step step_;                // the one being computed
  Nanoseconds experts_time_{0};
  std::vector<bool> seen_;
  std::vector<float> residual_;     // [tokens][width]
  std::vector<float> mixed_;        // [tokens][width]
  std::vector<float> probability_;  // [tokens][experts]
  std::vector<float> results_;      // [tokens][top_k][width], the result of each chosen expert
  std::vector<float> expert_out_;   // [rows][width]
  std::vector<float> shared_out_;   // [tokens][width], before the gate
  std::vector<float> logits_;       // [kLogitsTogether][vocabulary]
  MixerScratch mixer_scratch_;
  std::vector<uint32_t> rows_;   // tokens that chose the current expert
  std::vector<uint32_t> slots_;  // and for each the index in results_ of that choice
  std::vector<uint16_t> order_;  // a token's experts, the chosen ones first
  Activations normed_;
  Activations last_;
  Activations ahead_;
};

}  // namespace spillway
