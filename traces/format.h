#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/geometry.h"
#include "core/result.h"

// The bytes of a trace file (`.bin`), version 1. All integers are little-endian.
//
//   file head   magic[8]  u32 version  u32 header_bytes  u64 header_hash
//   header      JSON, schema "spillway.trace/1"
//   block       block head, payload             as often as the recording flushed
//   end mark    a block head of kind `end`      only when the recording was finished
//
//   block head  u32 kind  u32 payload_bytes  u32 steps  u32 number  u64 first_step  u64 payload_hash
//               u64 head_hash
//
// Every hash is XXH3-64. These hashes replace zstd's content checksum for two reasons: they are checked
// before a decoder sees the bytes, and they cover the head. With a head that is proven intact, a payload
// that ends early is a recording that was cut off, and any other mismatch is damage. The header's hash
// is the seed of the block hashes, so a block of another file, or of an older recording under this name,
// is never accepted.
namespace spillway {

// The columns that a trace may lack. Phase, sequence, pass and token counts are always recorded: they cost
// nothing while they do not change.
struct TraceColumns {
  bool weights = false;    // the gate weight of each choice
  bool times = false;      // attention and experts, per layer
  bool lookahead = false;  // a predictor's expectations
  bool token_ids = false;

  bool operator==(const TraceColumns&) const = default;
};

// The longest time that a step may take in attention or in its experts. A longer one is a mistake or damage,
// and sums of it would overflow.
inline constexpr std::chrono::hours kLongestStepTime{24};

struct TraceHeader {
  ModelGeometry geometry;
  std::string model;
  TraceColumns columns;
  std::vector<std::pair<std::string, std::string>> provenance;  // free-form, in order: recorder, model …
  std::vector<std::pair<std::string, uint64_t>> seeds;          // every seed that the steps depend on

  bool operator==(const TraceHeader&) const = default;
};

std::string header_to_json(const TraceHeader& header);

// Fails on JSON that is malformed, of another schema, or describes an impossible geometry.
Result<TraceHeader> header_from_json(std::string_view text);

// ---- the fixed parts

inline constexpr uint32_t kTraceVersion = 1;
inline constexpr size_t kFileHeadBytes = 24;
inline constexpr size_t kBlockHeadBytes = 40;
inline constexpr uint32_t kMaxHeaderBytes = 16U << 20;
inline constexpr uint32_t kMaxPayloadBytes = 64U
                                             << 20;  // a writer makes no larger block, a reader accepts none

enum class BlockKind : uint32_t { steps = 0x4b425053, end = 0x444e5053 };  // "SPBK", "SPND"

struct BlockHead {
  BlockKind kind = BlockKind::steps;
  uint32_t payload_bytes = 0;
  uint32_t steps = 0;
  uint32_t number = 0;      // number of the block, from 0
  uint64_t first_step = 0;  // end mark: the number of steps in the file
  uint64_t payload_hash = 0;
};

struct FileHead {
  uint32_t header_bytes = 0;
  uint64_t header_hash = 0;
};

using Buffer = std::vector<uint8_t>;

uint64_t trace_hash(std::span<const uint8_t> bytes, uint64_t seed);

// Encodes the file head and the header; `hash` becomes the seed of the block hashes. Fails when the header is
// larger than a reader would accept.
Result<Buffer> encode_file_head(const TraceHeader& header, uint64_t& hash);
// Fails unless these are the first bytes of a trace file of a known version.
Result<FileHead> decode_file_head(std::span<const uint8_t, kFileHeadBytes> bytes);
bool header_is_intact(std::span<const uint8_t, kFileHeadBytes> head, std::span<const uint8_t> json);

std::array<uint8_t, kBlockHeadBytes> encode_block_head(const BlockHead& head, uint64_t seed);
// Fails when the hash does not match or a field is out of its bounds.
Result<BlockHead> decode_block_head(std::span<const uint8_t, kBlockHeadBytes> bytes, uint64_t seed);

// Returns true if a file with this start is a trace file, as opposed to one of the formats that
// can be imported.
bool looks_like_trace(std::string_view start);

}  // namespace spillway
