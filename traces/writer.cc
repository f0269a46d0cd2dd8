#include "traces/writer.h"

#include <algorithm>
#include <cmath>

#include "core/expects.h"

namespace spillway {
namespace {

// Far more than any batch needs, and half of what a reader accepts in a block.
constexpr size_t kMaxStepBytes = kMaxPayloadBytes / 2;

}  // namespace

Result<std::unique_ptr<TraceWriter>> TraceWriter::create(const std::string& path, const TraceHeader& header,
                                                         const TraceWriterOptions& options) {
  if (Result<void> valid = header.geometry.validate(); !valid) {
    return failed("{}: {}", path, valid.error().message);
  }
  uint64_t seed = 0;
  Result<Buffer> head = encode_file_head(header, seed);
  if (!head) {
    return failed("{}: {}", path, head.error().message);
  }
  Result<OutputFile> file = OutputFile::create(path, options.place, options.replace);
  if (!file) {
    return propagate(file);
  }
  if (Result<void> written = file->write(*head); !written) {
    return propagate(written);
  }
  return std::unique_ptr<TraceWriter>(new TraceWriter(std::move(*file), header, options, seed));
}

TraceWriter::TraceWriter(OutputFile file, const TraceHeader& header, const TraceWriterOptions& options,
                         uint64_t seed)
    : file_(std::move(file)),
      geometry_(header.geometry),
      columns_(header.columns),
      options_(options),
      hash_seed_(seed),
      encoder_(header.geometry, header.columns),
      chosen_by_(header.geometry.experts_per_layer) {}

TraceWriter::~TraceWriter() {
  if (options_.place == OutputFile::Place::in_place && !broken_) {
    // Best effort: a caller that needs to know the outcome has called finish().
    static_cast<void>(flush());
  }
}

Result<void> TraceWriter::append(const Step& step) {
  if (broken_) {
    return failed("{}: nothing can be appended after a failed write", file_.path());
  }
  if (Result<void> checked = check(step); !checked) {
    return failed("{}: step {}: {}", file_.path(), steps(), checked.error().message);
  }
  encoder_.add(step);
  const bool full = encoder_.steps() >= options_.block_steps || encoder_.raw_bytes() >= options_.block_bytes;
  if (full || (options_.place == OutputFile::Place::in_place &&
               std::chrono::steady_clock::now() - flushed_at_ >= options_.flush_after)) {
    return flush();
  }
  return {};
}

Result<void> TraceWriter::check(const Step& step) {
  if (step.layer >= geometry_.layers || geometry_.expert_bytes[step.layer] == 0) {
    return failed("layer {} has no experts in this geometry", step.layer);
  }
  if (step.tokens == 0) {
    return failed("layer {} routes no tokens", step.layer);
  }
  const size_t choices = size_t(step.tokens) * geometry_.used_top_k;
  if (step.choices.empty() ? step.experts.empty() : step.choices.size() != choices) {
    return failed("layer {} has {} choices; {} tokens of top-{} need {}", step.layer, step.choices.size(),
                  step.tokens, geometry_.used_top_k, choices);
  }
  if (columns_.weights && step.weights.size() != step.choices.size()) {
    return failed("layer {} has {} gate weights for {} choices", step.layer, step.weights.size(),
                  step.choices.size());
  }
  if (columns_.weights && !std::all_of(step.weights.begin(), step.weights.end(),
                                       [](float weight) { return std::isfinite(weight); })) {
    return failed("layer {} has a gate weight that is no finite number", step.layer);
  }
  if (columns_.token_ids && !step.token_ids.empty() && step.token_ids.size() != step.tokens) {
    return failed("layer {} has {} token ids for {} tokens", step.layer, step.token_ids.size(), step.tokens);
  }
  if (step.choices.size() + step.token_ids.size() + step.lookahead.size() > kMaxStepBytes / 8) {
    return failed("layer {} is too large for a block; split the batch", step.layer);
  }
  for (const std::optional<Nanoseconds>& time : {step.attention_time, step.experts_time}) {
    if (time && (time->count() < 0 || *time > kLongestStepTime)) {
      return failed("layer {} takes {} ns; a time from 0 to {} hours is possible", step.layer, time->count(),
                    kLongestStepTime.count());
    }
  }
  for (const ExpertId id : step.lookahead) {
    if (columns_.lookahead && index_of(id) >= geometry_.expert_count()) {
      return failed("layer {}: look-ahead expert {} does not exist", step.layer, index_of(id));
    }
  }
  if (!step.choices.empty()) {
    return check_distinct(step.choices, geometry_.used_top_k);
  }
  listed_.clear();
  for (const ExpertId id : step.experts) {
    if (index_of(id) >= geometry_.expert_count() || geometry_.layer_of(id) != step.layer) {
      return failed("layer {} lists expert {} of another layer", step.layer, index_of(id));
    }
    listed_.push_back(uint16_t(geometry_.expert_of(id)));
  }
  return check_distinct(listed_, uint32_t(listed_.size()));
}

Result<void> TraceWriter::check_distinct(std::span<const uint16_t> experts, uint32_t group) {
  for (size_t i = 0; i < experts.size(); ++i) {
    if (i % group == 0 && ++token_number_ == 0) {  // the numbers wrapped: forget all choices
      std::fill(chosen_by_.begin(), chosen_by_.end(), 0);
      token_number_ = 1;
    }
    if (experts[i] >= geometry_.experts_per_layer) {
      return failed("expert {} is out of range; a layer has {}", experts[i], geometry_.experts_per_layer);
    }
    if (std::exchange(chosen_by_[experts[i]], token_number_) == token_number_) {
      return failed("expert {} is chosen twice by one token", experts[i]);
    }
  }
  return {};
}

Result<void> TraceWriter::flush() {
  if (encoder_.steps() == 0) {
    return {};
  }
  flushed_at_ = std::chrono::steady_clock::now();
  const uint32_t steps = encoder_.steps();
  if (Result<void> written = write_block(BlockKind::steps, steps, encoder_.seal()); !written) {
    return written;
  }
  if (options_.place == OutputFile::Place::in_place) {
    file_.keep();
  }
  return {};
}

Result<void> TraceWriter::write_block(BlockKind kind, uint32_t steps, const Buffer& payload) {
  Expects(payload.size() <= kMaxPayloadBytes);
  const BlockHead head{kind,    uint32_t(payload.size()), steps,
                       blocks_, flushed_steps_,           trace_hash(payload, hash_seed_)};
  const auto head_bytes = encode_block_head(head, hash_seed_);
  Buffer block(head_bytes.begin(), head_bytes.end());
  block.insert(block.end(), payload.begin(), payload.end());
  if (Result<void> written = file_.write(block); !written) {
    broken_ = true;
    return written;
  }
  ++blocks_;
  flushed_steps_ += steps;
  return {};
}

Result<void> TraceWriter::finish() {
  if (broken_) {
    return failed("{}: cannot be finished after a failed write", file_.path());
  }
  if (Result<void> flushed = flush(); !flushed) {
    return flushed;
  }
  if (Result<void> ended = write_block(BlockKind::end, 0, {}); !ended) {
    return ended;
  }
  broken_ = true;  // nothing can be appended after the end
  return file_.finish();
}

}  // namespace spillway
