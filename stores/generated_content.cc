#include "stores/generated_content.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "core/units.h"
#include "stores/sample.h"

namespace spillway {
namespace {

static_assert(std::endian::native == std::endian::little, "words are stored as they are in memory");

constexpr uint64_t kWordBytes = sizeof(uint64_t);

// The cut of [offset, offset + size) into whole words and the bytes before and behind them.
struct Cut {
  uint64_t head;
  uint64_t words;
  uint64_t tail;
};

Cut cut(uint64_t offset, uint64_t size) {
  const uint64_t head = std::min(round_up(offset, kWordBytes) - offset, size);
  const uint64_t words = (size - head) / kWordBytes;
  return {head, words, size - head - words * kWordBytes};
}

// Returns the content from `offset` to the end of its word, followed by zeros.
std::array<std::byte, kWordBytes> bytes_at(const GeneratedContent& content, uint64_t offset) {
  const uint64_t word = content.word(round_down(offset, kWordBytes)) >> (8 * (offset % kWordBytes));
  return std::bit_cast<std::array<std::byte, kWordBytes>>(word);
}

}  // namespace

void GeneratedContent::fill(uint64_t offset, std::span<std::byte> out) const {
  const Cut pieces = cut(offset, out.size());
  std::memcpy(out.data(), bytes_at(*this, offset).data(), pieces.head);
  std::byte* at = out.data() + pieces.head;
  const uint64_t first = offset + pieces.head;
  for (uint64_t i = 0; i < pieces.words; ++i) {
    const uint64_t value = word(first + i * kWordBytes);
    std::memcpy(at + i * kWordBytes, &value, kWordBytes);
  }
  const uint64_t end = pieces.words * kWordBytes;
  std::memcpy(at + end, bytes_at(*this, first + end).data(), pieces.tail);
}

bool GeneratedContent::matches(uint64_t offset, std::span<const std::byte> data) const {
  const Cut pieces = cut(offset, data.size());
  bool same = std::memcmp(data.data(), bytes_at(*this, offset).data(), pieces.head) == 0;
  const std::byte* at = data.data() + pieces.head;
  const uint64_t first = offset + pieces.head;
  // The loop has no branch, so that the compiler may process words in parallel.
  uint64_t difference = 0;
  for (uint64_t i = 0; i < pieces.words; ++i) {
    uint64_t value = 0;
    std::memcpy(&value, at + i * kWordBytes, kWordBytes);
    difference |= value ^ word(first + i * kWordBytes);
  }
  const uint64_t end = pieces.words * kWordBytes;
  same = same && difference == 0;
  return same && std::memcmp(at + end, bytes_at(*this, first + end).data(), pieces.tail) == 0;
}

bool GeneratedContent::matches_sample(uint64_t offset, std::span<const std::byte> data) const {
  if (data.size() <= 2 * kWordBytes) {
    return matches(offset, data);
  }
  const uint64_t last = data.size() - kWordBytes;
  if (!matches(offset, data.first(kWordBytes)) || !matches(offset + last, data.subspan(last))) {
    return false;
  }
  // The places differ with the offset, so that many samples cover all blocks of a range.
  for (uint64_t i = 0; i < kSampledWords - 2; ++i) {
    const uint64_t at = mix64(offset + i) % last;
    if (!matches(offset + at, data.subspan(at, kWordBytes))) {
      return false;
    }
  }
  return true;
}

}  // namespace spillway
