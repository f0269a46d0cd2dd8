#include <zstd.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/expects.h"
#include "traces/block_codec.h"
#include "traces/step_flags.h"

namespace spillway {
namespace {

// The most bytes that a byte of zstd can stand for: a block of 128 KiB takes at least 4 bytes. A section that
// claims more is damaged, and is refused before memory is allocated for it.
constexpr uint64_t kMaxExpansion = 32768;

// Half of what a time in nanoseconds can hold: 146 years.
constexpr uint64_t kMostTime = uint64_t{1} << 62;

bool wants(TraceColumns columns, size_t section) {
  switch (Section(section)) {
    case Section::weights0:
    case Section::weights1:
    case Section::weights2:
    case Section::weights3:
      return columns.weights;
    case Section::times:
      return columns.times;
    case Section::lookahead:
      return columns.lookahead;
    case Section::token_ids:
      return columns.token_ids;
    default:
      return true;
  }
}

}  // namespace

struct BlockDecoder::Zstd {
  ZSTD_DCtx* context = ZSTD_createDCtx();

  Zstd() = default;
  Zstd(const Zstd&) = delete;
  Zstd& operator=(const Zstd&) = delete;
  ~Zstd() { ZSTD_freeDCtx(context); }
};

BlockDecoder::BlockDecoder(const ModelGeometry& geometry, TraceColumns columns, TraceColumns wanted)
    : geometry_(geometry),
      wanted_{columns.weights && wanted.weights, columns.times && wanted.times,
              columns.lookahead && wanted.lookahead, columns.token_ids && wanted.token_ids},
      narrow_(geometry.layers, geometry.experts_per_layer),
      wide_(geometry.layers, geometry.experts_per_layer),
      seen_(geometry.experts_per_layer),
      zstd_(std::make_unique<Zstd>()) {
  Expects(zstd_->context != nullptr);
}

BlockDecoder::~BlockDecoder() = default;

Result<void> BlockDecoder::load(std::span<const uint8_t> payload, uint32_t steps) {
  Expects(steps_left_ == 0);
  if (Result<void> unpacked = unpack(payload); !unpacked) {
    return unpacked;
  }
  if (section(Section::flags).left() != steps) {
    return failed("it claims {} steps and holds {}", steps, section(Section::flags).left());
  }
  steps_left_ = steps;
  return {};
}

Result<void> BlockDecoder::unpack(std::span<const uint8_t> payload) {
  struct Extent {
    uint64_t raw = 0;
    uint64_t stored = 0;
  };
  std::array<Extent, kSections> extents;
  ByteCursor cursor(payload);
  uint64_t total = 0;
  for (size_t i = 0; i < kSections; ++i) {
    Extent& extent = extents[i];
    extent = {cursor.varint(), cursor.varint()};
    if (extent.stored > extent.raw || extent.raw > kMaxPayloadBytes ||
        extent.raw > extent.stored * kMaxExpansion) {
      return failed("its section {} claims {} bytes from {} stored", i, extent.raw, extent.stored);
    }
    stored_bytes_[i] += extent.stored;
    total += wants(wanted_, i) ? extent.raw : 0;
  }
  if (!cursor.ok() || total > kMaxPayloadBytes) {
    return failed("its sections claim {} bytes", total);
  }
  raw_.resize(total);
  uint8_t* out = raw_.data();
  for (size_t i = 0; i < kSections; ++i) {
    const auto [raw, stored] = extents[i];
    const uint8_t* from = cursor.take(stored);
    if (from == nullptr) {
      return failed("its section {} ends beyond the block", i);
    }
    sections_[i] = ByteCursor();
    if (!wants(wanted_, i) || raw == 0) {
      continue;
    }
    if (raw == stored) {
      std::memcpy(out, from, raw);
    } else if (ZSTD_decompressDCtx(zstd_->context, out, raw, from, stored) != raw) {
      return failed("its section {} does not decompress", i);
    }
    sections_[i] = ByteCursor({out, raw});
    out += raw;
  }
  return cursor.left() == 0 ? Result<void>{} : failed("it has {} bytes too many", cursor.left());
}

Result<void> BlockDecoder::next(Step& step) {
  Expects(steps_left_ > 0);
  --steps_left_;
  const uint8_t flags = section(Section::flags).byte();
  uint64_t listed = 0;
  if (Result<void> fields = read_fields(step, flags, listed); !fields) {
    return fields;
  }
  if (Result<void> choices = read_choices(step, listed); !choices) {
    return choices;
  }
  step.next_use.clear();
  step.weights.clear();
  step.lookahead.clear();
  step.token_ids.clear();
  step.attention_time.reset();
  step.experts_time.reset();
  if (wanted_.token_ids) {
    read_token_ids(step, flags);
  }
  if (wanted_.weights) {
    if (Result<void> weights = read_weights(step); !weights) {
      return weights;
    }
  }
  if (wanted_.times) {
    if (Result<void> times = read_times(step); !times) {
      return times;
    }
  }
  if (wanted_.lookahead) {
    read_lookahead(step);
  }
  predicted_.advance(step, geometry_.layers);
  const bool complete = std::all_of(sections_.begin(), sections_.end(), [&](const ByteCursor& cursor) {
    return cursor.ok() && (steps_left_ > 0 || cursor.left() == 0);
  });
  return complete ? Result<void>{} : failed("its columns do not fit its steps");
}

Result<void> BlockDecoder::read_fields(Step& step, uint8_t flags, uint64_t& listed) {
  ByteCursor& fields = section(Section::fields);
  step.pass = predicted_.pass;
  step.layer = predicted_.layer;
  step.tokens = predicted_.tokens;
  step.phase = predicted_.phase;
  step.sequence = predicted_.sequence;
  if (flags == 0 && geometry_.expert_bytes[step.layer] != 0) [[likely]] {
    return {};
  }
  uint64_t layer = step.layer;
  uint64_t tokens = step.tokens;
  uint64_t sequence = step.sequence;
  if (flags & kPassDiffers) {
    step.pass += uint64_t(unzigzag(fields.varint()));
  }
  if (flags & kLayerDiffers) {
    layer = fields.varint();
  }
  if (flags & kTokensDiffer) {
    tokens = fields.varint();
  }
  if (flags & kPhaseDiffers) {
    step.phase = step.phase == Phase::decode ? Phase::prefill : Phase::decode;
  }
  if (flags & kSequenceDiffers) {
    sequence = fields.varint();
  }
  if (flags & kExpertsListed) {
    listed = fields.varint();
    if (listed == 0 || listed > geometry_.experts_per_layer) {
      return failed("one of its steps lists {} experts", listed);
    }
  }
  if (layer >= geometry_.layers || tokens == 0 || tokens > kMaxPayloadBytes || sequence > UINT32_MAX) {
    return failed("one of its steps has layer {}, {} tokens, sequence {}", layer, tokens, sequence);
  }
  if (geometry_.expert_bytes[layer] == 0) {
    return failed("one of its steps is of layer {}, which has no experts", layer);
  }
  step.layer = uint32_t(layer);
  step.tokens = uint32_t(tokens);
  step.sequence = uint32_t(sequence);
  return {};
}

Result<void> BlockDecoder::read_choices(Step& step, uint64_t listed) {
  const uint64_t count = listed != 0 ? listed : uint64_t(step.tokens) * geometry_.used_top_k;
  if (count > section(Section::ranks_low).left()) {
    return failed("one of its steps has {} choices, more than there are left", count);
  }
  std::vector<uint16_t>& into = listed != 0 ? listed_ : step.choices;
  into.resize(count);
  const uint32_t group = listed != 0 ? uint32_t(listed) : geometry_.used_top_k;
  const bool exist = is_wide(geometry_) ? read_experts(wide_.list_of(step.layer), group, into)
                                        : read_experts(narrow_.list_of(step.layer), group, into);
  if (!exist) {
    return failed("one of its steps chooses an expert that does not exist");
  }
  if (step.tokens > 1 && listed == 0) {
    collect_distinct(geometry_, seen_, step);
    return {};
  }
  const uint32_t first = step.layer * geometry_.experts_per_layer;
  step.experts.resize(count);
  std::transform(into.begin(), into.end(), step.experts.begin(),
                 [first](uint16_t expert) { return ExpertId{first + expert}; });
  if (listed != 0) {
    step.choices.clear();
  }
  return {};
}

template <class T>
bool BlockDecoder::read_experts(std::vector<T>& list, uint32_t group, std::span<uint16_t> out) {
  const uint8_t* low = section(Section::ranks_low).take(out.size());
  const uint8_t* high = sizeof(T) == 1 ? low : section(Section::ranks_high).take(out.size());
  if (low == nullptr || high == nullptr) {
    return false;
  }
  uint32_t place = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    const uint32_t rank = sizeof(T) == 1 ? low[i] : low[i] | uint32_t(high[i]) << 8;
    if (rank + place >= list.size()) {
      return false;
    }
    out[i] = RecencyLists<T>::move_to_front(list, rank + place);
    place = place + 1 == group ? 0 : place + 1;
  }
  return true;
}

void BlockDecoder::read_token_ids(Step& step, uint8_t flags) {
  ByteCursor& ids = section(Section::token_ids);
  if (flags & kNewTokenIds) {
    if (step.tokens > ids.left()) {
      ids.fail();
      return;
    }
    predicted_.token_ids.resize(step.tokens);
    for (int32_t& id : predicted_.token_ids) {
      id = int32_t(unzigzag(ids.varint()));
    }
  }
  if (flags & kNoTokenIds) {
    return;
  }
  if (predicted_.token_ids.size() != step.tokens) {  // would repeat the ids of another number of tokens
    ids.fail();
    return;
  }
  step.token_ids = predicted_.token_ids;
}

Result<void> BlockDecoder::read_weights(Step& step) {
  const size_t count = step.choices.size();
  const uint8_t* planes[4];
  for (size_t i = 0; i < 4; ++i) {
    planes[i] = sections_[size_t(Section::weights0) + i].take(count);
    if (planes[i] == nullptr) {
      return {};  // next() sees that the section is too short
    }
  }
  step.weights.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t bits = uint32_t(planes[0][i]) | uint32_t(planes[1][i]) << 8 |
                          uint32_t(planes[2][i]) << 16 | uint32_t(planes[3][i]) << 24;
    std::memcpy(&step.weights[i], &bits, sizeof bits);
    if (!std::isfinite(step.weights[i])) {
      return failed("one of its gate weights is {}", step.weights[i]);
    }
  }
  return {};
}

Result<void> BlockDecoder::read_times(Step& step) {
  constexpr auto kMost = uint64_t(Nanoseconds(kLongestStepTime).count());
  for (std::optional<Nanoseconds>* time : {&step.attention_time, &step.experts_time}) {
    const uint64_t value = section(Section::times).varint();
    if (value == 0) {
      continue;
    }
    if (value - 1 > kMost) {
      return failed("one of its steps takes {} ns, more than the {} hours that any takes", value - 1,
                    kLongestStepTime.count());
    }
    total_time_ += value - 1;
    if (total_time_ > kMostTime) {
      return failed("its steps take more than a century together");
    }
    *time = Nanoseconds(int64_t(value - 1));
  }
  return {};
}

void BlockDecoder::read_lookahead(Step& step) {
  ByteCursor& in = section(Section::lookahead);
  const uint64_t count = in.varint();
  if (count > in.left()) {
    in.fail();
    return;
  }
  step.lookahead.resize(count);
  for (ExpertId& id : step.lookahead) {
    id = from_next_layer(geometry_, step.layer, uint32_t(in.varint() % geometry_.expert_count()));
  }
}

}  // namespace spillway
