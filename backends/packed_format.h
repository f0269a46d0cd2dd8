#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backends/posix_file.h"
#include "core/geometry.h"
#include "core/ports.h"

// The expert store file of our own, `spillway.store/1`:
//
//   offset 0   magic `SPILLWAY-STORE/1`, u64 length of the JSON text, u64 its checksum, the JSON text
//   2 MiB      data: layer after layer; in a layer one table per part of its experts (one part, or gate, up
//              and down); in a table one slot per expert, each a multiple of 4096 bytes
//
// A store may be cut into pieces, one file each, as if on several drives: a slot of piece i then holds the
// i-th of equal 4096-aligned cuts of the part, and every file has the same tables.
namespace spillway {

inline constexpr std::string_view kPackedMagic = "SPILLWAY-STORE/1";
inline constexpr uint64_t kPackedAlignment = 4096;
inline constexpr uint64_t kPackedDataOffset = uint64_t(2) << 20;

// What a store file says about itself.
struct PackedHeader {
  uint32_t layers = 0;
  uint32_t experts_per_layer = 0;
  std::vector<uint64_t> expert_bytes;  // one entry a layer
  uint32_t parts = 1;                  // ranges per expert: 1 or 3
  uint32_t piece = 0;                  // which file this is
  uint32_t pieces = 1;                 // of so many
  std::optional<uint64_t> seed;        // of generated content; nothing: content of another kind

  bool operator==(const PackedHeader&) const = default;
};

// The bytes that go to offset 0; fails when the geometry is too large for a header.
Result<std::string> write_packed_header(const PackedHeader& header);

// Reads and checks the header of a file that begins with the magic. Never trusts a length in it.
Result<PackedHeader> read_packed_header(const std::string& path, const FileHandle& file);

// `48 layers × 128 experts, 3.06 MB each`
std::string describe_shape(uint32_t layers, uint32_t experts_per_layer,
                           const std::vector<uint64_t>& expert_bytes);

// Where everything lies in each of the files that have this header.
class PackedLayout {
 public:
  explicit PackedLayout(const PackedHeader& header);

  // Appends the ranges of an expert: part after part, each part's pieces in the order of the files.
  void ranges(uint32_t layer, uint32_t expert, std::vector<ByteRange>& out) const;

  uint64_t file_bytes() const { return file_bytes_; }

 private:
  struct Table {
    uint64_t offset = 0;  // in each file
    uint64_t bytes = 0;   // of one expert's part
    uint64_t slot = 0;    // of one piece of it, rounded up
  };

  uint32_t parts_;
  uint32_t pieces_;
  std::vector<Table> tables_;  // [layer][part]
  uint64_t file_bytes_ = 0;
};

}  // namespace spillway
