#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/ports.h"

namespace spillway {

// A whole trace in memory, about 20 bytes per step and 2 per choice, for readers that need it more than once.
class MemoryTrace final : public StepSeries {
 public:
  // Reads `source` to its end.
  static Result<MemoryTrace> load(StepSource& source);

  // Fills in next_use of every step; has_next_use() returns true from then on.
  void annotate_next_use();

  const SourceInfo& info() const { return info_; }
  uint64_t steps() const { return records_.size(); }
  uint64_t decode_passes() const { return decode_passes_; }

  // Reads the trace from its start. Cursors are cheap. Any number of them may exist at once, in any threads,
  // while the trace outlives them and is not being annotated.
  std::unique_ptr<StepSource> cursor() const override;

 private:
  class Cursor;

  struct Record {
    uint32_t pass = 0;
    uint32_t sequence = 0;
    uint32_t tokens = 0;
    uint32_t experts = 0;
    uint32_t layer : 24 = 0;
    uint32_t prefill : 1 = 0;
    uint32_t has_choices : 1 =
        0;                       // in choices_ when tokens > 1; else they are the experts, in the same order
    uint32_t token_ids : 2 = 0;  // a TokenIds
  };
  enum TokenIds : uint32_t { kNone, kSameAsBefore, kInPool };

  // The start of a step's entries in each pool. They follow those of the step before, so no record
  // stores the position.
  struct Position {
    size_t experts = 0;
    size_t choices = 0;
    size_t weights = 0;
    size_t lookahead = 0;
    size_t token_ids = 0;
  };

  Result<void> add(const Step& step);
  void add_token_ids(const Step& step, Record& record);

  SourceInfo info_;
  uint64_t decode_passes_ = 0;
  std::vector<Record> records_;
  std::vector<uint16_t> experts_;
  std::vector<uint16_t> choices_;
  std::vector<uint32_t> next_use_;  // parallel to experts_, or empty
  std::vector<float> weights_;
  std::vector<int64_t> times_ns_;  // two a step, -1 for unknown, or empty
  std::vector<uint32_t> lookahead_;
  std::vector<uint32_t> lookahead_counts_;  // one a step, or empty
  std::vector<int32_t> token_ids_;
  std::vector<uint32_t> weight_counts_;  // one a step, or empty while no step has any
};

}  // namespace spillway
