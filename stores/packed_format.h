#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/geometry.h"
#include "core/ports.h"
#include "host/file.h"

// The expert store file of our own:
//
//   offset 0   magic `SPILLWAY-STORE/1`, u64 length of the JSON text, u64 its checksum, the JSON text
//   2 MiB      data: layer after layer; in a layer one table per part of its experts (one part, or gate, up
//              and down); in a table one slot per expert, each a multiple of 4096 bytes
//   behind it  in a store of a model's own experts, one PackedEntry per expert (packed_index.h)
//
// Its content is of one of two kinds. A scratch store's (`spillway.store/1`) is generated, so that what it
// should be is known without the model, and an expert has the slot of its number. It may be cut into pieces,
// one file each, as if on several drives: a slot of piece i then holds the i-th of equal 4096-aligned cuts of
// the part, and every file has the same tables. A packed model's (`spillway.store/2`) are the bytes of a
// GGUF's experts, in one file and one part: gate, up and down without gaps, each as it lies in the GGUF. The
// entries say which slot of its layer's table each has, and what its bytes sum up to.
namespace spillway {

inline constexpr std::string_view kPackedMagic = "SPILLWAY-STORE/1";
inline constexpr uint64_t kPackedAlignment = 4096;
inline constexpr uint64_t kPackedDataOffset = uint64_t(2) << 20;

// Which model a store was packed from. Its files are looked for nowhere: they are named so that a human finds
// them, and recognised by the fingerprint.
struct PackedOrigin {
  struct File {
    std::string name;  // without its directory
    uint64_t bytes = 0;
    bool operator==(const File&) const = default;
  };
  std::vector<File> files;   // of a split model in order
  uint64_t fingerprint = 0;  // model_fingerprint() of them

  bool operator==(const PackedOrigin&) const = default;
};

// `Qwen3-30B-A3B-Q4_K_M.gguf (fingerprint 0123456789abcdef)`
std::string describe(const PackedOrigin& origin);

// One part of every expert of a layer, in their order in the slot.
struct PackedPart {
  std::string name;  // gate, up, down, or gate_up
  uint64_t bytes = 0;
  bool operator==(const PackedPart&) const = default;
};

// What the header of a packed model says besides its shape.
struct PackedContent {
  PackedOrigin origin;
  std::string layout;                          // by which rule experts got their slots: `id`, `coactivation`
  std::vector<std::vector<PackedPart>> parts;  // [layer]; none in one without experts
  uint64_t index_checksum = 0;                 // of all entries

  bool operator==(const PackedContent&) const = default;
};

// What a store file says about itself.
struct PackedHeader {
  uint32_t layers = 0;
  uint32_t experts_per_layer = 0;
  std::vector<uint64_t> expert_bytes;  // one entry a layer
  uint32_t parts = 1;                  // ranges per expert: 1 or 3
  uint32_t piece = 0;                  // which file this is
  uint32_t pieces = 1;                 // of so many
  std::optional<uint64_t> seed;        // of generated content
  // Of a packed model. Where both are missing nothing is known of the bytes.
  std::optional<PackedContent> packed = std::nullopt;

  bool operator==(const PackedHeader&) const = default;
};

// The bytes that go to offset 0; fails when the geometry is too large for a header.
Result<std::string> write_packed_header(const PackedHeader& header);

// Reads and checks the header. Never trusts a length in it.
Result<PackedHeader> read_packed_header(const InputFile& file);

// The model that the store in `path` was packed from; nothing when it is a store of another kind. Fails on a
// file that is none.
Result<std::optional<PackedOrigin>> packed_origin(const std::string& path);

// `48 layers × 128 experts, 3.06 MB each`
std::string describe_shape(uint32_t layers, uint32_t experts_per_layer,
                           const std::vector<uint64_t>& expert_bytes);

// Where everything lies in each of the files that have this header.
class PackedLayout {
 public:
  explicit PackedLayout(const PackedHeader& header);

  // Appends the ranges of the expert in `slot`: part after part, each part's pieces in the order of the
  // files.
  void ranges(uint32_t layer, uint32_t slot, std::vector<ByteRange>& out) const;

  uint64_t file_bytes() const { return file_bytes_; }  // header and data

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
