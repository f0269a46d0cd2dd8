#pragma once

#include <cstdint>
#include <span>

#include "traces/format.h"

// Helpers of the block codec: variable-length integers and a reader that cannot run beyond its end.
namespace spillway {

inline void put_varint(Buffer& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(uint8_t(value) | 0x80);
    value >>= 7;
  }
  out.push_back(uint8_t(value));
}

// Maps differences of either sign to small unsigned numbers: 0, -1, 1, -2 … → 0, 1, 2, 3 …
constexpr uint64_t zigzag(int64_t value) {
  return (uint64_t(value) << 1) ^ uint64_t(value >> 63);
}
constexpr int64_t unzigzag(uint64_t value) {
  return int64_t(value >> 1) ^ -int64_t(value & 1);
}

// Reads bytes from front to back. After a request for more bytes than are left the cursor stays !ok() and
// yields zeros, so that callers check at the end of a step and not at every byte.
class ByteCursor {
 public:
  ByteCursor() = default;
  explicit ByteCursor(std::span<const uint8_t> bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  bool ok() const { return ok_; }
  size_t left() const { return size_t(end_ - at_); }
  void fail() { ok_ = false; }

  uint8_t byte() {
    if (at_ == end_) [[unlikely]] {
      ok_ = false;
      return 0;
    }
    return *at_++;
  }

  uint64_t varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const uint8_t next = byte();
      value |= uint64_t(next & 0x7f) << shift;
      if (next < 0x80) {
        return value;
      }
    }
    ok_ = false;
    return 0;
  }

  // Returns the next `count` bytes, or nullptr (and !ok()) when fewer are left.
  const uint8_t* take(size_t count) {
    if (count > left()) [[unlikely]] {
      ok_ = false;
      return nullptr;
    }
    const uint8_t* start = at_;
    at_ += count;
    return start;
  }

 private:
  const uint8_t* at_ = nullptr;
  const uint8_t* end_ = nullptr;
  bool ok_ = true;
};

}  // namespace spillway
