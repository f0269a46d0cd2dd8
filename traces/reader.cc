#include "traces/reader.h"

#include <algorithm>
#include <array>

namespace spillway {

Result<std::unique_ptr<TraceReader>> TraceReader::open(const std::string& path, TraceColumns wanted) {
  Result<PlainInput> file = PlainInput::open(path);
  if (!file) {
    return propagate(file);
  }
  Result<uint64_t> file_bytes = file->size();
  if (!file_bytes) {
    return propagate(file_bytes);
  }
  std::array<uint8_t, kFileHeadBytes> head_bytes{};
  Result<size_t> got = file->read_at(0, head_bytes);
  if (!got) {
    return propagate(got);
  }
  if (*got < kFileHeadBytes) {
    return failed("{}: not a trace, or cut off at offset {}: the file has only {} bytes", path, *got, *got);
  }
  Result<FileHead> head = decode_file_head(head_bytes);
  if (!head) {
    return failed("{}: {}", path, head.error().message);
  }
  if (head->header_bytes > *file_bytes - kFileHeadBytes) {
    return failed("{}: cut off at offset {}, inside its header; there are no steps in it", path, *file_bytes);
  }
  Buffer json(head->header_bytes);
  got = file->read_at(kFileHeadBytes, json);
  if (!got) {
    return propagate(got);
  }
  if (*got != json.size() || !header_is_intact(head_bytes, json)) {
    return failed("{}: damaged at offset {}: the header does not match its checksum", path, kFileHeadBytes);
  }
  Result<TraceHeader> header = header_from_json({reinterpret_cast<const char*>(json.data()), json.size()});
  if (!header) {
    return failed("{}: {}", path, header.error().message);
  }
  return std::unique_ptr<TraceReader>(new TraceReader(std::move(*file), *file_bytes, std::move(*header),
                                                      kFileHeadBytes + json.size(), head->header_hash,
                                                      wanted));
}

TraceReader::TraceReader(PlainInput file, uint64_t file_bytes, TraceHeader header, uint64_t first_block,
                         uint64_t seed, TraceColumns wanted)
    : file_(std::move(file)),
      file_bytes_(file_bytes),
      header_(std::move(header)),
      info_{header_.geometry, header_.columns.times && wanted.times,
            header_.columns.lookahead && wanted.lookahead, false},
      hash_seed_(seed),
      decoder_(header_.geometry, header_.columns, wanted),
      offset_(first_block),
      block_offset_(first_block) {}

Result<bool> TraceReader::next(Step& step) {
  while (!ended_ && damage_.empty() && decoder_.steps_left() == 0) {
    Result<bool> loaded = load_block();
    if (!loaded) {
      return propagate(loaded);
    }
    ended_ = !*loaded;
  }
  if (!damage_.empty()) {
    return failed("{}", damage_);
  }
  if (ended_) {
    return false;
  }
  if (Result<void> decoded = decoder_.next(step); !decoded) {
    return damaged(decoded.error().message);
  }
  step.index = steps_read_++;
  return true;
}

// Returns false at the end of the recording, whether it was finished or cut off.
Result<bool> TraceReader::load_block() {
  block_offset_ = offset_;
  std::array<uint8_t, kBlockHeadBytes> head_bytes{};
  Result<size_t> got = file_.read_at(offset_, head_bytes);
  if (!got) {
    return propagate(got);
  }
  if (*got < head_bytes.size()) {
    return cut_off(*got);
  }
  Result<BlockHead> head = decode_block_head(head_bytes, hash_seed_);
  if (!head) {
    return damaged(head.error().message);
  }
  if (head->number != blocks_read_ || head->first_step != steps_read_) {
    return damaged(fmt::format("it has number {} and starts at step {}, not at {}", head->number,
                               head->first_step, steps_read_));
  }
  const uint64_t there = file_bytes_ - std::min(file_bytes_, offset_ + kBlockHeadBytes);
  if (head->payload_bytes > there) {
    return cut_off(kBlockHeadBytes + there);
  }
  payload_.resize(head->payload_bytes);
  got = file_.read_at(offset_ + kBlockHeadBytes, payload_);
  if (!got) {
    return propagate(got);
  }
  if (*got != payload_.size()) {
    return cut_off(kBlockHeadBytes + *got);
  }
  if (trace_hash(payload_, hash_seed_) != head->payload_hash) {
    return damaged("its payload does not match its checksum");
  }
  offset_ += kBlockHeadBytes + payload_.size();
  if (head->kind == BlockKind::end) {
    return offset_ == file_bytes_ ? Result<bool>(false) : damaged("there are bytes after the end mark");
  }
  if (Result<void> loaded = decoder_.load(payload_, head->steps); !loaded) {
    return damaged(loaded.error().message);
  }
  ++blocks_read_;
  return true;
}

bool TraceReader::cut_off(uint64_t bytes_there) {
  truncation_ =
      bytes_there == 0
          ? fmt::format("the recording was not finished: no end mark at offset {}; all {} blocks are whole",
                        offset_, blocks_read_)
          : fmt::format("cut off at offset {}: the last {} bytes, of block {}, are lost",
                        offset_ + bytes_there, bytes_there, blocks_read_);
  return false;
}

Unexpected TraceReader::damaged(const std::string& what) {
  damage_ = fmt::format("{}: block {} at offset {} is damaged: {}; the {} steps before it are good",
                        file_.path(), blocks_read_, block_offset_, what, steps_read_);
  return failed("{}", damage_);
}

}  // namespace spillway
