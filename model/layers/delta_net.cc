#include "model/layers/delta_net.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace spillway {
namespace {

float sigmoid(float x) {
  return 1.0F / (1.0F + std::exp(-x));
}

// Returns ln(1 + e^x), which equals x in single precision long before e^x overflows.
float softplus(float x) {
  return x > 20.0F ? x : std::log1p(std::exp(x));
}

class DeltaNetMixer final : public Mixer {
 public:
  DeltaNetMixer(const DeltaNetWeights& weights, const DeltaNetShape& shape)
      : weights_(weights),
        shape_(shape),
        channels_(weights.qkv.rows),
        memory_(size_t{shape.value_heads} * shape.head_size * shape.head_size),
        past_(size_t{shape.kernel - 1} * channels_) {}

  void reset() override {
    std::fill(memory_.begin(), memory_.end(), 0.0F);
    std::fill(past_.begin(), past_.end(), 0.0F);
  }

  void forward(Engine& engine, MixerScratch& scratch, Activations& h, uint32_t /*position*/,
               float* y) override {
    const uint32_t tokens = h.tokens();
    scratch_ = &scratch;
    project(engine, h);
    convolve(engine, tokens);
    engine.each(tokens * shape_.key_heads, [&](uint32_t task) {
      normalise(engine.k(), task / shape_.key_heads, task % shape_.key_heads);
    });
    scratch.mixed.reshape(tokens, value_width());
    engine.each(shape_.value_heads, [&](uint32_t head) {
      for (uint32_t token = 0; token < tokens; ++token) {
        recur(engine.k(), token, head);
      }
    });
    engine.multiply(weights_.output, scratch.mixed, y, weights_.output.rows);
  }

  uint64_t state_bytes(uint32_t /*positions*/) const override {
    return (memory_.size() + past_.size()) * sizeof(float);
  }

  uint64_t scratch_bytes(uint32_t tokens) const override {
    // `mixed` also has a quantized form.
    const uint64_t values = 2 * channels_ + 3 * value_width() + weights_.beta.rows + weights_.alpha.rows;
    return tokens * values * sizeof(float);
  }

 private:
  // Indices of the scratch's rows.
  static constexpr size_t kRaw = 0;        // [tokens][channels]
  static constexpr size_t kConvolved = 1;  // [tokens][channels]
  static constexpr size_t kGate = 2;
  static constexpr size_t kBeta = 3;
  static constexpr size_t kAlpha = 4;

  uint32_t value_width() const { return shape_.value_heads * shape_.head_size; }
  uint32_t key_width() const { return shape_.key_heads * shape_.head_size; }
  float* raw() { return scratch_->rows[kRaw].floats(); }
  float* channels(uint32_t token) { return scratch_->rows[kConvolved].floats() + size_t{token} * channels_; }

  void project(Engine& engine, Activations& h) {
    const auto product = [&](const Matrix& weights, AlignedBytes& out) {
      out.resize(size_t{h.tokens()} * weights.rows * sizeof(float));
      return Product{&weights, h.as(activation_type(weights.type), engine), out.floats(), weights.rows};
    };
    const std::array<Product, 4> products = {
        product(weights_.qkv, scratch_->rows[kRaw]), product(weights_.gate, scratch_->rows[kGate]),
        product(weights_.beta, scratch_->rows[kBeta]), product(weights_.alpha, scratch_->rows[kAlpha])};
    engine.multiply(products, h.tokens());
  }

  // Applies a causal convolution over time to each channel by itself, then silu.
  void convolve(Engine& engine, uint32_t tokens) {
    scratch_->rows[kConvolved].resize(size_t{tokens} * channels_ * sizeof(float));
    const uint32_t before = shape_.kernel - 1;
    const auto input = [&](uint32_t token, uint32_t back, uint32_t channel) {
      return token >= back ? raw()[size_t{token - back} * channels_ + channel]
                           : past_[size_t{before + token - back} * channels_ + channel];
    };
    engine.each(channels_, [&](uint32_t channel) {
      const float* kernel = weights_.convolution.data() + size_t{channel} * shape_.kernel;
      for (uint32_t token = 0; token < tokens; ++token) {
        float sum = 0;
        for (uint32_t j = 0; j < shape_.kernel; ++j) {
          sum += kernel[j] * input(token, before - j, channel);
        }
        channels(token)[channel] = sum * sigmoid(sum);
      }
    });
    keep_last(tokens, before);
  }

  // Keeps the inputs that the next tokens' convolutions look back at.
  void keep_last(uint32_t tokens, uint32_t before) {
    const uint32_t fresh = std::min(tokens, before);
    std::move(past_.begin() + ptrdiff_t(fresh * channels_), past_.end(), past_.begin());
    std::copy_n(raw() + size_t{tokens - fresh} * channels_, size_t{fresh} * channels_,
                past_.end() - ptrdiff_t(fresh * channels_));
  }

  // Scales q and k to length 1, and q also by the scale of attention scores.
  void normalise(const Kernels& k, uint32_t token, uint32_t key_head) {
    const uint32_t size = shape_.head_size;
    float* q = channels(token) + size_t{key_head} * size;
    float* key = q + key_width();
    const float q_scale = 1.0F / std::sqrt(k.dot(q, q, size) + shape_.epsilon) / std::sqrt(float(size));
    const float k_scale = 1.0F / std::sqrt(k.dot(key, key, size) + shape_.epsilon);
    for (uint32_t i = 0; i < size; ++i) {
      q[i] *= q_scale;
      key[i] *= k_scale;
    }
  }

  // Runs one token's step of one head: the memory fades, is corrected towards v under the key k,
  // and answers the query q.
  void recur(const Kernels& k, uint32_t token, uint32_t head) {
    const uint32_t size = shape_.head_size;
    const float* q = channels(token) + size_t{head % shape_.key_heads} * size;
    const float* key = q + key_width();
    const float* v = channels(token) + 2 * size_t{key_width()} + size_t{head} * size;
    const size_t at = size_t{token} * shape_.value_heads + head;
    const float beta = sigmoid(scratch_->rows[kBeta].floats()[at]);
    const float fade = std::exp(weights_.decay[head] *
                                softplus(scratch_->rows[kAlpha].floats()[at] + weights_.time_bias[head]));

    float* out = scratch_->mixed.row(token) + size_t{head} * size;
    for (uint32_t j = 0; j < size; ++j) {
      float* row = memory_.data() + (size_t{head} * size + j) * size;  // the memory of value j
      const float remembered = fade * k.dot(row, key, size);
      const float change = beta * (v[j] - remembered);
      for (uint32_t i = 0; i < size; ++i) {
        row[i] = fade * row[i] + change * key[i];
      }
      out[j] = k.dot(row, q, size);
    }
    k.rms_norm(out, weights_.norm.data(), shape_.epsilon, out, size);
    const float* z = scratch_->rows[kGate].floats() + size_t{token} * value_width() + size_t{head} * size;
    k.silu_multiply(z, out, out, size);
  }

  const DeltaNetWeights weights_;
  const DeltaNetShape shape_;
  const uint32_t channels_;
  std::vector<float> memory_;        // [value_heads][value][key]
  std::vector<float> past_;          // [kernel - 1][channels], the oldest first, before convolution
  MixerScratch* scratch_ = nullptr;  // valid during forward()
};

}  // namespace

std::unique_ptr<Mixer> make_delta_net(const DeltaNetWeights& weights, const DeltaNetShape& shape) {
  return std::make_unique<DeltaNetMixer>(weights, shape);
}

}  // namespace spillway
