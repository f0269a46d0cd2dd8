#pragma once

#include "core/units.h"

namespace spillway::device {

// How long a link of `rate`, which is not 0, carries so many bytes. Rounded up: one byte takes time, too.
inline Nanoseconds transfer_time(uint64_t bytes, BytesPerSecond rate) {
  uint64_t dividend = 0;  // the division of 64 bits is several times as fast, and nearly always enough
  if (!__builtin_mul_overflow(bytes, 1'000'000'000U, &dividend) &&
      !__builtin_add_overflow(dividend, rate.count - 1, &dividend)) {
    return Nanoseconds(int64_t(dividend / rate.count));
  }
  const auto scaled = static_cast<unsigned __int128>(bytes) * 1'000'000'000 + rate.count - 1;
  return Nanoseconds(int64_t(scaled / rate.count));
}

}  // namespace spillway::device
