#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/geometry.h"
#include "core/ports.h"
#include "host/file.h"

// The format of expert store files:
//
//   offset 0   magic `SPILLWAY-STORE/1`, u64 length of the JSON text, u64 its checksum, the JSON text
//   2 MiB      data: layer after layer; in a layer one table per part of its experts (one part, or gate, up
//              and down); in a table one slot per expert, each a multiple of 4096 bytes
//   behind it  in a store of a model's own experts, one PackedEntry per expert (packed_index.h)
//
// The content is of one of two kinds. The content of a scratch store (`spillway.store/1`) is generated, so it
// can be checked without the model; an expert has the slot of its number. A scratch store may be cut into
// pieces, one file each, as if on several drives: a slot of piece i then holds the i-th of equal 4096-aligned
// cuts of the part, and every file has the same tables. The content of a packed model (`spillway.store/2`) is
// the bytes of a GGUF's experts, in one file and one part: gate, up and down without gaps, each as in the
// GGUF. The entries give each expert's slot in its layer's table and the checksums of its bytes.
namespace spillway {

inline constexpr std::string_view kPackedMagic = "SPILLWAY-STORE/1";
inline constexpr uint64_t kPackedAlignment = 4096;
inline constexpr uint64_t kPackedDataOffset = uint64_t(2) << 20;

// The model that a store was packed from. Its files are never opened: their names help a human to find them,
// and the fingerprint recognises them.
struct PackedOrigin {
  struct File {
    std::string name;  // without its directory
    uint64_t bytes = 0;
    bool operator==(const File&) const = default;
  };
  std::vector<File> files;   // the files of a split model are in order
  uint64_t fingerprint = 0;  // model_fingerprint() of the files

  bool operator==(const PackedOrigin&) const = default;
};

// Returns `Qwen3-30B-A3B-Q4_K_M.gguf (fingerprint 0123456789abcdef)`.
std::string describe(const PackedOrigin& origin);

// One part of every expert of a layer; parts are listed in their order within the slot.
struct PackedPart {
  std::string name;  // gate, up, down, or gate_up
  uint64_t bytes = 0;
  bool operator==(const PackedPart&) const = default;
};

// The fields that only the header of a packed model has.
struct PackedContent {
  PackedOrigin origin;
  std::string layout;                          // the rule that assigned the slots: `id` or `coactivation`
  std::vector<std::vector<PackedPart>> parts;  // [layer]; empty for a layer without experts
  uint64_t index_checksum = 0;                 // of all entries

  bool operator==(const PackedContent&) const = default;
};

// The header of a store file.
struct PackedHeader {
  uint32_t layers = 0;
  uint32_t experts_per_layer = 0;
  std::vector<uint64_t> expert_bytes;  // one entry per layer
  uint32_t parts = 1;                  // ranges per expert: 1 or 3
  uint32_t piece = 0;                  // number of this file, from 0
  uint32_t pieces = 1;                 // number of files
  std::optional<uint64_t> seed;        // of generated content
  // Set for a packed model. If `seed` is missing too, nothing is known of the bytes.
  std::optional<PackedContent> packed = std::nullopt;

  bool operator==(const PackedHeader&) const = default;
};

// Returns the bytes that belong at offset 0. Fails if the geometry is too large for a header.
Result<std::string> write_packed_header(const PackedHeader& header);

// Reads and checks the header. Every length in it is checked before it is used.
Result<PackedHeader> read_packed_header(const InputFile& file);

// Returns the model that the store in `path` was packed from; nothing for a store of another kind. Fails if
// the file is not a store.
Result<std::optional<PackedOrigin>> packed_origin(const std::string& path);

// Returns `48 layers × 128 experts of 3059712 bytes`.
std::string describe_shape(uint32_t layers, uint32_t experts_per_layer,
                           const std::vector<uint64_t>& expert_bytes);

// Computes where each expert lies in the files that have this header.
class PackedLayout {
 public:
  explicit PackedLayout(const PackedHeader& header);

  // Appends the ranges of the expert in `slot`: part after part, and each part's pieces in the
  // order of the files.
  void ranges(uint32_t layer, uint32_t slot, std::vector<ByteRange>& out) const;

  uint64_t file_bytes() const { return file_bytes_; }  // header and data

 private:
  struct Table {
    uint64_t offset = 0;  // in each file
    uint64_t bytes = 0;   // size of one expert's part
    uint64_t slot = 0;    // size of one piece of that part, rounded up
  };

  uint32_t parts_;
  uint32_t pieces_;
  std::vector<Table> tables_;  // [layer][part]
  uint64_t file_bytes_ = 0;
};

}  // namespace spillway
