#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "stores/packed_format.h"

namespace spillway {

// The facts that a packed model stores about one expert: 24 bytes, little-endian, behind the data.
struct PackedEntry {
  uint64_t checksum = 0;  // XXH3 of all of the expert's bytes
  uint64_t sample = 0;    // packed_sample() of the expert
  uint32_t slot = 0;      // its place in the table of its layer
  uint32_t reserved = 0;  // 0

  bool operator==(const PackedEntry&) const = default;
};
static_assert(sizeof(PackedEntry) == 24);

// Returns the XXH3 of all of the expert's bytes.
uint64_t packed_checksum(std::span<const std::byte> expert);

// Returns the XXH3 of a few words of the expert, which costs next to nothing whatever its size: the first
// word, the last, and six in between. The places of those six differ from expert to expert, so that many
// samples cover all blocks of a range.
uint64_t packed_sample(uint32_t index, std::span<const std::byte> expert);

// Returns the XXH3 of all entries, for the header.
uint64_t index_checksum(std::span<const PackedEntry> entries);

// Reads the entries of a store with the header `header`, in which `packed` must be set. Fails if their
// checksum is wrong or if the experts of a layer do not take each of its slots once. The result is [layer ×
// experts_per_layer + expert].
Result<std::vector<PackedEntry>> read_packed_index(const InputFile& file, const PackedHeader& header);

// Returns true if `slots`, indexed by expert, gives each expert of a layer a slot of its own.
bool is_permutation_of_slots(std::span<const uint32_t> slots);

}  // namespace spillway
