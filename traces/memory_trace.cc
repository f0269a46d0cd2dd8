#include "traces/memory_trace.h"

#include <algorithm>
#include <limits>

#include "core/for_each_step.h"

namespace spillway {
namespace {

constexpr uint32_t kNever = std::numeric_limits<uint32_t>::max();

}  // namespace

class MemoryTrace::Cursor final : public StepSource {
 public:
  explicit Cursor(const MemoryTrace& trace) : trace_(trace) {}

  const SourceInfo& info() const override { return trace_.info_; }

  Result<bool> next(Step& step) override {
    if (index_ == trace_.records_.size()) {
      return false;
    }
    const Record& record = trace_.records_[index_];
    step.index = index_;
    step.pass = record.pass;
    step.layer = record.layer;
    step.sequence = record.sequence;
    step.tokens = record.tokens;
    step.phase = record.prefill ? Phase::prefill : Phase::decode;
    fill_experts(record, step);
    fill_choices(record, step);
    fill_optional(record, step);
    ++index_;
    return true;
  }

 private:
  void fill_experts(const Record& record, Step& step) {
    const uint32_t first = record.layer * trace_.info_.geometry.experts_per_layer;
    const uint16_t* experts = trace_.experts_.data() + at_.experts;
    step.experts.resize(record.experts);
    std::transform(experts, experts + record.experts, step.experts.begin(),
                   [first](uint16_t expert) { return ExpertId{first + expert}; });
    step.next_use.clear();
    if (!trace_.next_use_.empty()) {
      const uint32_t* next = trace_.next_use_.data() + at_.experts;
      step.next_use.resize(record.experts);
      std::transform(next, next + record.experts, step.next_use.begin(),
                     [](uint32_t use) { return use == kNever ? kNeverUsedAgain : use; });
    }
    at_.experts += record.experts;
  }

  void fill_choices(const Record& record, Step& step) {
    if (!record.has_choices) {
      step.choices.clear();
      return;
    }
    if (record.tokens == 1) {
      const uint16_t* experts = trace_.experts_.data() + at_.experts - record.experts;
      step.choices.assign(experts, experts + record.experts);
      return;
    }
    const size_t count = size_t(record.tokens) * trace_.info_.geometry.used_top_k;
    step.choices.assign(trace_.choices_.data() + at_.choices, trace_.choices_.data() + at_.choices + count);
    at_.choices += count;
  }

  void fill_optional(const Record& record, Step& step) {
    step.weights.clear();
    if (!trace_.weight_counts_.empty()) {
      const uint32_t count = trace_.weight_counts_[index_];
      const float* weights = trace_.weights_.data() + at_.weights;
      step.weights.assign(weights, weights + count);
      at_.weights += count;
    }

    step.attention_time.reset();
    step.experts_time.reset();
    if (!trace_.times_ns_.empty()) {
      const auto time = [&](size_t which) -> std::optional<Nanoseconds> {
        const int64_t count = trace_.times_ns_[2 * index_ + which];
        return count < 0 ? std::nullopt : std::optional(Nanoseconds(count));
      };
      step.attention_time = time(0);
      step.experts_time = time(1);
    }

    step.lookahead.clear();
    if (!trace_.lookahead_counts_.empty()) {
      for (uint32_t i = 0; i < trace_.lookahead_counts_[index_]; ++i) {
        step.lookahead.push_back(ExpertId{trace_.lookahead_[at_.lookahead++]});
      }
    }

    step.token_ids.clear();
    if (record.token_ids == kInPool) {
      last_token_ids_ = at_.token_ids;
      at_.token_ids += record.tokens;
    }
    if (record.token_ids != kNone) {
      const int32_t* ids = trace_.token_ids_.data() + last_token_ids_;
      step.token_ids.assign(ids, ids + record.tokens);
    }
  }

  const MemoryTrace& trace_;
  size_t index_ = 0;
  Position at_;
  size_t last_token_ids_ = 0;
};

Result<MemoryTrace> MemoryTrace::load(StepSource& source) {
  MemoryTrace trace;
  trace.info_ = source.info();
  trace.info_.has_next_use = false;
  Result<void> added = for_each_step(source, [&](const Step& step) { return trace.add(step); });
  return added ? Result<MemoryTrace>(std::move(trace)) : propagate(added);
}

Result<void> MemoryTrace::add(const Step& step) {
  if (step.pass > UINT32_MAX || records_.size() >= kNever) {
    return failed("step {} of pass {}: the trace is too long for memory; shorten it with `trace cut` first",
                  records_.size(), step.pass);
  }
  Record record;
  record.pass = uint32_t(step.pass);
  record.sequence = step.sequence;
  record.tokens = step.tokens;
  record.experts = uint32_t(step.experts.size());
  record.layer = step.layer & 0xffffff;
  record.prefill = step.phase == Phase::prefill;
  record.has_choices = !step.choices.empty();
  const bool new_pass = records_.empty() || records_.back().pass != record.pass;
  decode_passes_ += new_pass && step.phase == Phase::decode ? 1 : 0;
  for (const ExpertId id : step.experts) {
    experts_.push_back(uint16_t(info_.geometry.expert_of(id)));
  }
  if (step.tokens > 1) {
    choices_.insert(choices_.end(), step.choices.begin(), step.choices.end());
  }
  if (!step.weights.empty() || !weight_counts_.empty()) {
    weight_counts_.resize(records_.size());  // the steps before the first one with weights have none
    weight_counts_.push_back(uint32_t(step.weights.size()));
    weights_.insert(weights_.end(), step.weights.begin(), step.weights.end());
  }
  if (info_.has_compute_times) {
    times_ns_.push_back(step.attention_time ? step.attention_time->count() : -1);
    times_ns_.push_back(step.experts_time ? step.experts_time->count() : -1);
  }
  if (info_.has_lookahead) {
    lookahead_counts_.push_back(uint32_t(step.lookahead.size()));
    for (const ExpertId id : step.lookahead) {
      lookahead_.push_back(index_of(id));
    }
  }
  add_token_ids(step, record);
  records_.push_back(record);
  return {};
}

// Keeps one copy of the token ids, since every layer of a pass has the same.
void MemoryTrace::add_token_ids(const Step& step, Record& record) {
  if (step.token_ids.size() != step.tokens) {
    record.token_ids = kNone;
    return;
  }
  const size_t count = step.token_ids.size();
  const bool same =
      !records_.empty() && records_.back().token_ids != kNone && records_.back().tokens == count &&
      std::equal(step.token_ids.begin(), step.token_ids.end(), token_ids_.end() - int64_t(count));
  record.token_ids = same ? kSameAsBefore : kInPool;
  if (!same) {
    token_ids_.insert(token_ids_.end(), step.token_ids.begin(), step.token_ids.end());
  }
}

void MemoryTrace::annotate_next_use() {
  const ModelGeometry& geometry = info_.geometry;
  std::vector<uint32_t> next(geometry.expert_count(), kNever);
  next_use_.resize(experts_.size());
  size_t at = experts_.size();
  for (size_t index = records_.size(); index-- > 0;) {
    const Record& record = records_[index];
    at -= record.experts;
    for (size_t i = at; i < at + record.experts; ++i) {
      uint32_t& use = next[index_of(geometry.id(record.layer, experts_[i]))];
      next_use_[i] = use;
      use = uint32_t(index);
    }
  }
  info_.has_next_use = true;
}

std::unique_ptr<StepSource> MemoryTrace::cursor() const {
  return std::make_unique<Cursor>(*this);
}

}  // namespace spillway
