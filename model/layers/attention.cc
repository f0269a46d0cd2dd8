#include "model/layers/attention.h"

#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/expects.h"
#include "core/units.h"

namespace spillway {
namespace {

// The keys or the values of a layer's cache: [kv_heads][context][head_size], so that a head's entries are
// read from end to end.
class KvHalf {
 public:
  KvHalf() = default;
  KvHalf(const KvHalf&) = delete;
  KvHalf& operator=(const KvHalf&) = delete;
  ~KvHalf() {
    if (memory_ != nullptr) {
      munmap(memory_, bytes_);
    }
  }

  bool allocate(uint64_t values, KvType type) {
    type_ = type;
    bytes_ = values * value_bytes(type);
    // Pages take memory only once they are used: a long context costs memory only as the text grows.
    void* memory =
        mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    memory_ = memory == MAP_FAILED ? nullptr : memory;
    return memory_ != nullptr;
  }

  void store(const Kernels& k, uint64_t at, const float* values, size_t n) {
    if (type_ == KvType::f16) {
      k.to_f16(values, halves() + at, n);
    } else {
      std::memcpy(floats() + at, values, n * sizeof(float));
    }
  }
  float dot(const Kernels& k, uint64_t at, const float* values, size_t n) const {
    return type_ == KvType::f16 ? k.dot_f16(halves() + at, values, n) : k.dot(floats() + at, values, n);
  }
  void add_scaled(const Kernels& k, float scale, uint64_t at, float* out, size_t n) const {
    if (type_ == KvType::f16) {
      k.add_scaled_f16(scale, halves() + at, out, n);
    } else {
      k.add_scaled(scale, floats() + at, out, n);
    }
  }

 private:
  uint16_t* halves() const { return static_cast<uint16_t*>(memory_); }
  float* floats() const { return static_cast<float*>(memory_); }

  void* memory_ = nullptr;
  uint64_t bytes_ = 0;
  KvType type_ = KvType::f16;
};

class AttentionMixer final : public Mixer {
 public:
  AttentionMixer(const AttentionWeights& weights, const AttentionShape& shape, uint32_t context, KvType kv)
      : weights_(weights), shape_(shape), context_(context), kv_(kv) {
    const float step = std::pow(shape.rope.base, -2.0F / float(shape.rope.rotated));
    float frequency = 1;
    for (uint32_t pair = 0; pair < shape.rope.rotated / 2; ++pair) {
      frequencies_.push_back(turns_with_text(pair) ? frequency * shape.rope.scale : 0);
      frequency *= step;
    }
  }

  bool allocate() {
    const uint64_t values = uint64_t{context_} * shape_.kv_heads * shape_.head_size;
    return keys_.allocate(values, kv_) && values_.allocate(values, kv_);
  }

  void reset() override {}

  void forward(Engine& engine, MixerScratch& scratch, Activations& h, uint32_t position, float* y) override {
    Expects(position + h.tokens() <= context_);
    scratch_ = &scratch;
    project(engine, h);
    const uint32_t tokens = h.tokens();
    find_turns(position, tokens);
    engine.each(tokens, [&](uint32_t token) { place(engine.k(), token, position + token); });
    scratch.mixed.reshape(tokens, shape_.heads * shape_.head_size);
    scratch.scores.resize(size_t{engine.threads()} * context_ * sizeof(float));
    attend(engine, tokens, position);
    engine.multiply(weights_.output, scratch.mixed, y, weights_.output.rows);
  }

  uint64_t state_bytes(uint32_t positions) const override {
    return 2 * value_bytes(kv_) * positions * shape_.kv_heads * shape_.head_size;
  }

  uint64_t scratch_bytes(uint32_t tokens) const override {
    // `mixed` also has a quantized form.
    const uint64_t values = weights_.q.rows + weights_.k.rows + weights_.v.rows +
                            2 * shape_.heads * shape_.head_size + 2 * frequencies_.size();
    return tokens * values * sizeof(float);
  }

 private:
  // Indices of the scratch's rows.
  static constexpr size_t kQueries = 0;
  static constexpr size_t kKeys = 1;
  static constexpr size_t kValues = 2;

  bool turns_with_text(uint32_t pair) const {
    const std::array<int32_t, 4>& sections = shape_.rope.sections;
    const int32_t all = sections[0] + sections[1] + sections[2] + sections[3];
    if (all <= 0) {
      return true;
    }
    const int32_t sector = int32_t(pair % uint32_t(all));
    return sector < 3 * sections[size_t(sector) % 3];
  }

  void project(Engine& engine, Activations& h) {
    const uint32_t tokens = h.tokens();
    const auto product = [&](const Matrix& weights, AlignedBytes& out) {
      out.resize(size_t{tokens} * weights.rows * sizeof(float));
      return Product{&weights, h.as(activation_type(weights.type), engine), out.floats(), weights.rows};
    };
    const std::array<Product, 3> products = {product(weights_.q, scratch_->rows[kQueries]),
                                             product(weights_.k, scratch_->rows[kKeys]),
                                             product(weights_.v, scratch_->rows[kValues])};
    engine.multiply(products, tokens);
  }

  // Returns a head's query; in a gated attention the head's gate follows it.
  float* query(uint32_t token, uint32_t head) {
    const uint32_t apart = shape_.gated ? 2 * shape_.head_size : shape_.head_size;
    return scratch_->rows[kQueries].floats() + size_t{token} * weights_.q.rows + size_t{head} * apart;
  }

  // Normalises and rotates one token's queries and keys, and stores its keys and values in the cache.
  void place(const Kernels& k, uint32_t token, uint32_t position) {
    const uint32_t size = shape_.head_size;
    const uint32_t kv_width = shape_.kv_heads * size;
    float* keys = scratch_->rows[kKeys].floats() + size_t{token} * kv_width;
    if (shape_.norm == HeadNorm::all_heads) {
      k.rms_norm(query(token, 0), weights_.q_norm.data(), shape_.epsilon, query(token, 0), weights_.q.rows);
      k.rms_norm(keys, weights_.k_norm.data(), shape_.epsilon, keys, kv_width);
    }
    const auto prepare = [&](float* head, std::span<const float> norm) {
      if (shape_.norm == HeadNorm::per_head) {
        k.rms_norm(head, norm.data(), shape_.epsilon, head, size);
      }
      turn(head, token);
    };
    for (uint32_t head = 0; head < shape_.heads; ++head) {
      prepare(query(token, head), weights_.q_norm);
    }
    const float* values = scratch_->rows[kValues].floats() + size_t{token} * kv_width;
    for (uint32_t head = 0; head < shape_.kv_heads; ++head) {
      prepare(keys + head * size, weights_.k_norm);
      keys_.store(k, at(head, position), keys + head * size, size);
      values_.store(k, at(head, position), values + head * size, size);
    }
  }

  // Computes the rotations, equal for all heads, at the positions of `tokens` tokens.
  void find_turns(uint32_t position, uint32_t tokens) {
    scratch_->turns.clear();
    for (uint32_t token = 0; token < tokens; ++token) {
      for (const float frequency : frequencies_) {
        const float angle = float(position + token) * frequency;
        scratch_->turns.emplace_back(std::cos(angle), std::sin(angle));
      }
    }
  }

  void turn(float* head, uint32_t token) const {
    const size_t half = frequencies_.size();
    for (size_t pair = 0; pair < half; ++pair) {
      const auto [cosine, sine] = scratch_->turns[token * half + pair];
      const float a = head[pair];
      const float b = head[pair + half];
      head[pair] = a * cosine - b * sine;
      head[pair + half] = a * sine + b * cosine;
    }
  }

  uint64_t at(uint32_t kv_head, uint32_t position) const {
    return (uint64_t{kv_head} * context_ + position) * shape_.head_size;
  }

  void attend(Engine& engine, uint32_t tokens, uint32_t position) {
    // Heads that share keys go to one thread, which then finds the keys in its processor cache. If that would
    // leave threads without work, each head goes on its own.
    const bool by_keys = tokens * shape_.kv_heads >= engine.threads();
    const uint32_t group = by_keys ? shape_.heads / shape_.kv_heads : 1;
    const uint32_t groups = shape_.heads / group;
    engine.pool().run(tokens * groups, [&](uint32_t piece, unsigned worker) {
      float* scores = scratch_->scores.floats() + size_t{worker} * context_;
      const uint32_t token = piece / groups;
      const uint32_t first = piece % groups * group;
      for (uint32_t head = first; head < first + group; ++head) {
        attend_head(engine.k(), token, head, position + token + 1, scores);
      }
    });
  }

  void attend_head(const Kernels& k, uint32_t token, uint32_t head, uint32_t positions, float* scores) {
    const uint32_t size = shape_.head_size;
    const uint32_t kv_head = head / (shape_.heads / shape_.kv_heads);
    const float scale = 1.0F / std::sqrt(float(size));
    const float* q = query(token, head);
    for (uint32_t p = 0; p < positions; ++p) {
      scores[p] = scale * keys_.dot(k, at(kv_head, p), q, size);
    }
    k.softmax(scores, positions);
    float* out = scratch_->mixed.row(token) + size_t{head} * size;
    std::fill_n(out, size, 0.0F);
    for (uint32_t p = 0; p < positions; ++p) {
      values_.add_scaled(k, scores[p], at(kv_head, p), out, size);
    }
    if (shape_.gated) {
      const float* gate = q + size;
      for (uint32_t i = 0; i < size; ++i) {
        out[i] *= 1.0F / (1.0F + std::exp(-gate[i]));
      }
    }
  }

  const AttentionWeights weights_;
  const AttentionShape shape_;
  const uint32_t context_;
  const KvType kv_;
  std::vector<float> frequencies_;  // of each pair; 0: the pair does not turn
  KvHalf keys_;
  KvHalf values_;
  MixerScratch* scratch_ = nullptr;  // valid during forward()
};

}  // namespace

Result<std::unique_ptr<Mixer>> make_attention(const AttentionWeights& weights, const AttentionShape& shape,
                                              uint32_t context, KvType kv) {
  auto mixer = std::make_unique<AttentionMixer>(weights, shape, context, kv);
  if (!mixer->allocate()) {
    return failed("there is no memory for a context of {} tokens ({} in each attention layer)", context,
                  format_bytes(mixer->state_bytes(context)));
  }
  return mixer;
}

}  // namespace spillway
