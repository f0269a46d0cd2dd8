#include "stores/packed_index.h"

#include <xxhash.h>

#include <array>
#include <bit>
#include <cstring>

#include "core/rng.h"
#include "stores/sample.h"

namespace spillway {
namespace {

static_assert(std::endian::native == std::endian::little, "entries are stored as they are in memory");

constexpr uint64_t kSampledWordBytes = sizeof(uint64_t);

}  // namespace

uint64_t packed_checksum(std::span<const std::byte> expert) {
  return XXH3_64bits(expert.data(), expert.size());
}

uint64_t packed_sample(uint32_t index, std::span<const std::byte> expert) {
  if (expert.size() <= kSampledWords * kSampledWordBytes) {
    return packed_checksum(expert);
  }
  const uint64_t last = expert.size() - kSampledWordBytes;
  std::array<std::byte, kSampledWords * kSampledWordBytes> words;
  for (uint64_t i = 0; i < kSampledWords; ++i) {
    const uint64_t inner = mix64(mix64(index) + i) % last;
    const uint64_t at = i == 0 ? 0 : i + 1 == kSampledWords ? last : inner;
    std::memcpy(words.data() + i * kSampledWordBytes, expert.data() + at, kSampledWordBytes);
  }
  return XXH3_64bits(words.data(), words.size());
}

uint64_t index_checksum(std::span<const PackedEntry> entries) {
  return XXH3_64bits(entries.data(), entries.size_bytes());
}

bool is_permutation_of_slots(std::span<const uint32_t> slots) {
  std::vector<bool> taken(slots.size());
  for (const uint32_t slot : slots) {
    if (slot >= slots.size() || taken[slot]) {
      return false;
    }
    taken[slot] = true;
  }
  return true;
}

Result<std::vector<PackedEntry>> read_packed_index(const InputFile& file, const PackedHeader& header) {
  const std::string& path = file.path();
  const uint64_t offset = PackedLayout(header).file_bytes();
  const uint64_t count = uint64_t(header.layers) * header.experts_per_layer;
  // The size is checked before memory is allocated for the entries.
  if (file.size() < offset || file.size() - offset < count * sizeof(PackedEntry)) {
    return failed(
        "{} was cut off: it has {} bytes, and its experts and their checksums need {}; pack it again", path,
        file.size(), offset + count * sizeof(PackedEntry));
  }
  std::vector<PackedEntry> entries(count);
  if (Result<void> read = file.read_exactly(offset, std::as_writable_bytes(std::span(entries))); !read) {
    return propagate(read);
  }
  if (index_checksum(entries) != header.packed->index_checksum) {
    return failed("{}: offset {}: the checksums of its experts are damaged; pack it again", path, offset);
  }
  std::vector<uint32_t> slots(header.experts_per_layer);
  for (uint32_t layer = 0; layer < header.layers; ++layer) {
    const uint64_t first = uint64_t(layer) * header.experts_per_layer;
    for (uint32_t expert = 0; expert < header.experts_per_layer; ++expert) {
      slots[expert] = entries[first + expert].slot;
    }
    if (!is_permutation_of_slots(slots)) {
      return failed(
          "{}: offset {}: two experts of layer {} have the same slot, or one has none; pack it again", path,
          offset + first * sizeof(PackedEntry), layer);
    }
  }
  return entries;
}

}  // namespace spillway
