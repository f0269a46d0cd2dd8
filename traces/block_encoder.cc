#include <zstd.h>

#include <bit>

#include "core/expects.h"
#include "traces/block_codec.h"
#include "traces/step_flags.h"

namespace spillway {
namespace {

// The sections hold hardly any repetitions, only uneven frequencies. Levels that search for repetitions find
// accidental ones, which made the routing column of recorded traces up to 3 % larger.
constexpr int kCompressionLevel = 1;

}  // namespace

struct BlockEncoder::Zstd {
  ZSTD_CCtx* context = ZSTD_createCCtx();

  Zstd() = default;
  Zstd(const Zstd&) = delete;
  Zstd& operator=(const Zstd&) = delete;
  ~Zstd() { ZSTD_freeCCtx(context); }
};

void StepPrediction::advance(const Step& step, uint32_t layers) {
  const bool last = step.layer + 1 == layers;
  pass = step.pass + (last ? 1 : 0);
  layer = last ? 0 : step.layer + 1;
  sequence = step.sequence;
  tokens = step.tokens;
  phase = step.phase;
}

BlockEncoder::BlockEncoder(const ModelGeometry& geometry, TraceColumns columns)
    : geometry_(geometry),
      columns_(columns),
      narrow_(geometry.layers, geometry.experts_per_layer),
      wide_(geometry.layers, geometry.experts_per_layer),
      zstd_(std::make_unique<Zstd>()) {
  Expects(zstd_->context != nullptr);
}

BlockEncoder::~BlockEncoder() = default;

size_t BlockEncoder::raw_bytes() const {
  size_t sum = 0;
  for (const Buffer& bytes : sections_) {
    sum += bytes.size();
  }
  return sum;
}

void BlockEncoder::add(const Step& step) {
  add_fields(step);
  add_choices(step);
  if (columns_.times) {
    add_times(step);
  }
  if (columns_.lookahead) {
    add_lookahead(step);
  }
  predicted_.advance(step, geometry_.layers);
  ++steps_;
}

void BlockEncoder::add_fields(const Step& step) {
  uint8_t flags = 0;
  Buffer& fields = section(Section::fields);
  if (step.pass != predicted_.pass) {
    flags |= kPassDiffers;
    put_varint(fields, zigzag(int64_t(step.pass - predicted_.pass)));
  }
  if (step.layer != predicted_.layer) {
    flags |= kLayerDiffers;
    put_varint(fields, step.layer);
  }
  if (step.tokens != predicted_.tokens) {
    flags |= kTokensDiffer;
    put_varint(fields, step.tokens);
  }
  if (step.phase != predicted_.phase) {
    flags |= kPhaseDiffers;
  }
  if (step.sequence != predicted_.sequence) {
    flags |= kSequenceDiffers;
    put_varint(fields, step.sequence);
  }
  if (step.choices.empty()) {
    flags |= kExpertsListed;
    put_varint(fields, step.experts.size());
  }
  if (columns_.token_ids) {
    flags |= add_token_ids(step);
  }
  section(Section::flags).push_back(flags);
}

uint8_t BlockEncoder::add_token_ids(const Step& step) {
  if (step.token_ids.empty()) {
    return kNoTokenIds;
  }
  if (step.token_ids == predicted_.token_ids) {
    return 0;
  }
  for (const int32_t id : step.token_ids) {
    put_varint(section(Section::token_ids), zigzag(id));
  }
  predicted_.token_ids = step.token_ids;
  return kNewTokenIds;
}

void BlockEncoder::add_choice(uint32_t layer, uint16_t expert, uint32_t place) {
  // The `place` experts that the token chose before are at the front of the list, and no expert
  // is chosen twice.
  if (is_wide(geometry_)) {
    const uint32_t rank = wide_.position_of(layer, expert) - place;
    section(Section::ranks_low).push_back(uint8_t(rank));
    section(Section::ranks_high).push_back(uint8_t(rank >> 8));
  } else {
    section(Section::ranks_low).push_back(uint8_t(narrow_.position_of(layer, uint8_t(expert)) - place));
  }
}

void BlockEncoder::add_choices(const Step& step) {
  uint32_t place = 0;
  for (const uint16_t choice : step.choices) {
    add_choice(step.layer, choice, place);
    place = place + 1 == geometry_.used_top_k ? 0 : place + 1;
  }
  if (step.choices.empty()) {
    for (const ExpertId id : step.experts) {
      add_choice(step.layer, uint16_t(geometry_.expert_of(id)), place++);
    }
  }
  if (columns_.weights) {
    for (const float weight : step.weights) {
      const auto bits = std::bit_cast<uint32_t>(weight);
      section(Section::weights0).push_back(uint8_t(bits));
      section(Section::weights1).push_back(uint8_t(bits >> 8));
      section(Section::weights2).push_back(uint8_t(bits >> 16));
      section(Section::weights3).push_back(uint8_t(bits >> 24));
    }
  }
}

void BlockEncoder::add_times(const Step& step) {
  for (const std::optional<Nanoseconds>& time : {step.attention_time, step.experts_time}) {
    put_varint(section(Section::times), time ? uint64_t(time->count()) + 1 : 0);
  }
}

void BlockEncoder::add_lookahead(const Step& step) {
  Buffer& out = section(Section::lookahead);
  put_varint(out, step.lookahead.size());
  for (const ExpertId id : step.lookahead) {
    put_varint(out, relative_to_next_layer(geometry_, step.layer, id));
  }
}

Buffer BlockEncoder::seal() {
  std::array<Buffer, kSections> packed;
  Buffer payload;
  for (size_t i = 0; i < kSections; ++i) {
    Buffer& raw = sections_[i];
    packed[i].resize(ZSTD_compressBound(raw.size()));
    const size_t size = ZSTD_compressCCtx(zstd_->context, packed[i].data(), packed[i].size(), raw.data(),
                                          raw.size(), kCompressionLevel);
    Ensures(ZSTD_isError(size) == 0);
    packed[i].resize(size);
    if (size >= raw.size()) {  // equal sizes in the directory mean "stored as it is"
      packed[i] = raw;
    }
    put_varint(payload, raw.size());
    put_varint(payload, packed[i].size());
    raw.clear();
  }
  for (const Buffer& section : packed) {
    payload.insert(payload.end(), section.begin(), section.end());
  }
  steps_ = 0;
  return payload;
}

}  // namespace spillway
