#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "core/result.h"
#include "core/step.h"
#include "traces/bytes.h"
#include "traces/format.h"
#include "traces/recency.h"

// Converts steps to the payload of a block and back. The payload is a directory of section sizes followed by
// the sections: one for each column, and one for each byte of wider columns. Each section is compressed for
// itself, so that unlike bytes never share a table and an unwanted column is not even decompressed.
//
// Encoder and decoder carry the recency lists and the last step's fields from block to block, which makes
// small blocks nearly free. In exchange blocks can only be read in order.
namespace spillway {

enum class Section : uint8_t {
  flags,      // per step: which fields differ from the predicted ones
  fields,     // the fields that differ
  ranks_low,  // per choice: position in the layer's recency list, less the choice's place within its token
  ranks_high,
  weights0,  // per choice: the four bytes of the gate weight, low to high
  weights1,
  weights2,
  weights3,
  times,      // per step: two times of 0 = unknown, else ns + 1
  lookahead,  // per step: a count and that many experts, relative to the next layer
  token_ids,
};
inline constexpr size_t kSections = 11;

// Returns true if the layers' expert numbers need two bytes.
inline bool is_wide(const ModelGeometry& geometry) {
  return geometry.experts_per_layer > 256;
}

// The predicted fields of a step: those of the next layer of the same pass.
struct StepPrediction {
  uint64_t pass = 0;
  uint32_t layer = 0;
  uint32_t sequence = 0;
  uint32_t tokens = 1;
  Phase phase = Phase::decode;
  std::vector<int32_t> token_ids;

  void advance(const Step& step, uint32_t layers);
};

class BlockEncoder {
 public:
  BlockEncoder(const ModelGeometry& geometry, TraceColumns columns);
  ~BlockEncoder();

  // `step` must have passed check_step(). Columns that are not recorded are ignored.
  void add(const Step& step);

  uint32_t steps() const { return steps_; }
  size_t raw_bytes() const;

  // Returns the payload of all steps since the last seal.
  Buffer seal();

 private:
  struct Zstd;

  Buffer& section(Section which) { return sections_[size_t(which)]; }
  void add_fields(const Step& step);
  uint8_t add_token_ids(const Step& step);
  void add_choices(const Step& step);
  void add_choice(uint32_t layer, uint16_t expert, uint32_t place);
  void add_times(const Step& step);
  void add_lookahead(const Step& step);

  ModelGeometry geometry_;
  TraceColumns columns_;
  RecencyLists<uint8_t> narrow_;  // narrow_ or the wide list is used, never both
  RecencyLists<uint16_t> wide_;
  StepPrediction predicted_;
  uint32_t steps_ = 0;
  std::array<Buffer, kSections> sections_;
  std::unique_ptr<Zstd> zstd_;
};

class BlockDecoder {
 public:
  // The steps lack those of the file's columns that are not `wanted`.
  BlockDecoder(const ModelGeometry& geometry, TraceColumns columns, TraceColumns wanted);
  ~BlockDecoder();

  // Takes over from the last block, all of whose steps must have been read. Allocates no more than
  // `payload` can hold.
  Result<void> load(std::span<const uint8_t> payload, uint32_t steps);

  uint32_t steps_left() const { return steps_left_; }

  // Fills every field of `step` except its index. Call this only while steps are left.
  Result<void> next(Step& step);

  // Returns the stored bytes of each section in all blocks so far.
  const std::array<uint64_t, kSections>& stored_bytes() const { return stored_bytes_; }

 private:
  struct Zstd;

  ByteCursor& section(Section which) { return sections_[size_t(which)]; }
  Result<void> unpack(std::span<const uint8_t> payload);
  Result<void> read_fields(Step& step, uint8_t flags, uint64_t& listed);
  Result<void> read_choices(Step& step, uint64_t listed);
  template <class T>
  bool read_experts(std::vector<T>& list, uint32_t group, std::span<uint16_t> out);
  void read_token_ids(Step& step, uint8_t flags);
  Result<void> read_weights(Step& step);
  Result<void> read_times(Step& step);
  void read_lookahead(Step& step);

  ModelGeometry geometry_;
  TraceColumns wanted_;
  RecencyLists<uint8_t> narrow_;  // narrow_ or the wide list is used, never both
  RecencyLists<uint16_t> wide_;
  StepPrediction predicted_;
  uint32_t steps_left_ = 0;
  uint64_t total_time_ = 0;  // of all steps so far, in nanoseconds
  Buffer raw_;
  std::array<ByteCursor, kSections> sections_;
  std::array<uint64_t, kSections> stored_bytes_{};
  std::vector<uint16_t> listed_;  // scratch: the experts of a step that lists them without tokens
  std::vector<bool> seen_;        // scratch of collect_distinct()
  std::unique_ptr<Zstd> zstd_;
};

}  // namespace spillway
