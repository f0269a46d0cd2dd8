#pragma once

#include "core/units.h"

namespace spillway::device {

// Returns the time in which a link carries `bytes` bytes at `rate`, which is not 0. It is rounded up, so that
// even one byte takes time.
inline Nanoseconds transfer_time(uint64_t bytes, BytesPerSecond rate) {
  uint64_t dividend = 0;  // a 64-bit division is several times as fast, and nearly always enough
  if (!__builtin_mul_overflow(bytes, 1'000'000'000U, &dividend) &&
      !__builtin_add_overflow(dividend, rate.count - 1, &dividend)) {
    return Nanoseconds(int64_t(dividend / rate.count));
  }
  const auto scaled = static_cast<unsigned __int128>(bytes) * 1'000'000'000 + rate.count - 1;
  return Nanoseconds(int64_t(scaled / rate.count));
}

}  // namespace spillway::device
