#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "core/step.h"
#include "host/file.h"
#include "traces/block_codec.h"
#include "traces/format.h"

namespace spillway {

struct TraceWriterOptions {
  OutputFile::Place place = OutputFile::Place::rename_when_done;
  bool replace = false;             // whether an existing file may be replaced
  uint32_t block_steps = 1U << 16;  // a block is written when it has this many steps
  // … or this many bytes before compression. A cut or a crash costs at most one block. Larger blocks make
  // hardly a smaller file.
  size_t block_bytes = 64U << 10;
  // … or, in a file in place, after this time, so that a slow recording loses no more than a fast one.
  std::chrono::milliseconds flush_after{2000};
};

// Writes a trace. Each block reaches the kernel when it is full and at flush(), so that a recording whose
// process is killed keeps all but the current block. Without finish(), the destructor leaves a file in place
// with its blocks, or removes it if there are none; a file that was to be renamed is removed.
class TraceWriter {
 public:
  // Fails when the geometry is not valid or the file cannot be made.
  static Result<std::unique_ptr<TraceWriter>> create(const std::string& path, const TraceHeader& header,
                                                     const TraceWriterOptions& options = {});
  ~TraceWriter();
  TraceWriter(const TraceWriter&) = delete;
  TraceWriter& operator=(const TraceWriter&) = delete;

  // Appends one step; its index must not be set, since steps are numbered in the order of the calls. With
  // choices, its experts are derived from them; a source without choices lists its experts. Columns that the
  // header does not announce are left out. Announced weights are required for each choice, and announced
  // token ids for each token or for none. Fails on a step that the geometry does not allow; the file does not
  // get that step. Fails on a full disk as well; nothing more can be appended then.
  Result<void> append(const Step& step);

  // Writes the steps appended so far.
  Result<void> flush();

  // Flushes, and writes the end mark by which a reader distinguishes a finished recording from one
  // that was cut off.
  Result<void> finish();

  uint64_t steps() const { return flushed_steps_ + encoder_.steps(); }
  uint64_t bytes_written() const { return file_.bytes_written(); }

 private:
  TraceWriter(OutputFile file, const TraceHeader& header, const TraceWriterOptions& options, uint64_t seed);

  Result<void> check(const Step& step);
  Result<void> check_distinct(std::span<const uint16_t> experts, uint32_t group);
  Result<void> write_block(BlockKind kind, uint32_t steps, const Buffer& payload);

  OutputFile file_;
  ModelGeometry geometry_;
  TraceColumns columns_;
  TraceWriterOptions options_;
  uint64_t hash_seed_;
  BlockEncoder encoder_;
  uint32_t blocks_ = 0;
  uint64_t flushed_steps_ = 0;
  std::chrono::steady_clock::time_point flushed_at_ = std::chrono::steady_clock::now();
  bool broken_ = false;              // the disk was full: the encoder is ahead of the file
  std::vector<uint32_t> chosen_by_;  // per expert of a layer: the last token (by number) that chose it
  uint32_t token_number_ = 0;
  std::vector<uint16_t> listed_;  // scratch
};

}  // namespace spillway
