#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "stores/packed_format.h"

namespace spillway {

// What a packed model knows of one expert, as it is stored: 24 bytes, little-endian, behind the data.
struct PackedEntry {
  uint64_t checksum = 0;  // XXH3 of all of its bytes
  uint64_t sample = 0;    // XXH3 of a few of its words, both ends among them
  uint32_t slot = 0;      // its place in the table of its layer
  uint32_t reserved = 0;  // 0

  bool operator==(const PackedEntry&) const = default;
};
static_assert(sizeof(PackedEntry) == 24);

uint64_t packed_checksum(std::span<const std::byte> expert);

// Costs next to nothing, whatever the size: the first word, the last, and six between whose places differ
// from expert to expert, so that many samples cover a range's blocks.
uint64_t packed_sample(uint32_t index, std::span<const std::byte> expert);

// Over all entries, for the header.
uint64_t index_checksum(std::span<const PackedEntry> entries);

// Reads the entries of a store whose header is `header`, which has `packed`. Checks them: the checksum, and
// that the experts of each layer have all of its slots. [layer × experts_per_layer + expert]
Result<std::vector<PackedEntry>> read_packed_index(const InputFile& file, const PackedHeader& header);

// Whether the experts of a layer have one slot each. `slots` is [expert].
bool is_permutation_of_slots(std::span<const uint32_t> slots);

}  // namespace spillway
