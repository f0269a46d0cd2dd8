#pragma once

#include <memory>
#include <string>

#include "core/ports.h"
#include "traces/block_codec.h"
#include "traces/format.h"
#include "traces/plain_input.h"

namespace spillway {

// Reads a trace from front to back. A recording that was cut off is read up to its last whole block, as if it
// had been finished there; truncated() tells the difference. Damage is an error that names block and offset;
// the steps delivered before the damage are good. The file
// may be compressed with zstd or gzip.
class TraceReader final : public StepSource {
 public:
  static constexpr TraceColumns kAllColumns{true, true, true, true};

  // Columns that are not `wanted` are not decompressed, and the steps lack them.
  static Result<std::unique_ptr<TraceReader>> open(const std::string& path,
                                                   TraceColumns wanted = kAllColumns);

  const TraceHeader& header() const { return header_; }
  const SourceInfo& info() const override { return info_; }
  Result<bool> next(Step& step) override;

  // Valid once next() returned false.
  bool truncated() const { return !truncation_.empty(); }
  const std::string& truncation() const { return truncation_; }  // where it was cut off; empty: nowhere

  uint64_t steps_read() const { return steps_read_; }
  uint32_t blocks_read() const { return blocks_read_; }
  uint64_t file_bytes() const { return file_bytes_; }  // of the content, where the file is compressed
  // Returns the stored bytes of `section` in the blocks read so far.
  uint64_t section_bytes(Section section) const { return decoder_.stored_bytes()[size_t(section)]; }

 private:
  TraceReader(PlainInput file, uint64_t file_bytes, TraceHeader header, uint64_t first_block, uint64_t seed,
              TraceColumns wanted);

  Result<bool> load_block();
  bool cut_off(uint64_t bytes_there);
  Unexpected damaged(const std::string& what);

  PlainInput file_;
  uint64_t file_bytes_;  // of the content
  TraceHeader header_;
  SourceInfo info_;
  uint64_t hash_seed_;
  BlockDecoder decoder_;
  uint64_t offset_;        // offset of the next block
  uint64_t block_offset_;  // offset of the block being read
  uint64_t steps_read_ = 0;
  uint32_t blocks_read_ = 0;
  bool ended_ = false;
  std::string damage_;  // the error that every later call repeats
  std::string truncation_;
  Buffer payload_;
};

}  // namespace spillway
