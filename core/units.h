#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace spillway {

using Nanoseconds = std::chrono::nanoseconds;

// An amount of memory or storage. It has its own type so that an option of this type parses
// and prints `10GB`.
struct Bytes {
  uint64_t count = 0;
  auto operator<=>(const Bytes&) const = default;
};

// An amount per second. An option of this type parses and prints `3.6GB/s`.
struct BytesPerSecond {
  uint64_t count = 0;
  auto operator<=>(const BytesPerSecond&) const = default;
};

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;

// Parses a size. Decimal suffixes are powers of 1000 (kB, MB, GB, TB), binary ones powers of 1024 (KiB, MiB,
// GiB, TiB), in any case and with or without the B; a bare number counts bytes. Fractions are allowed
// (`1.5GB`). Fails on anything else, and on more than 2^63 bytes.
Result<Bytes> parse_bytes(std::string_view text);

// Parses a rate: a size as for parse_bytes() with `/s` at the end, `3.6GB/s`. The result
// counts bytes per second.
Result<Bytes> parse_rate(std::string_view text);

// Parses `2ms`, `80us`, `1.5s` or `300ns`; the unit is required.
Result<Nanoseconds> parse_duration(std::string_view text);

// Returns three significant digits in decimal units: `3.06 MB`.
std::string format_bytes(uint64_t bytes);

// Returns the shortest text that parse_bytes() reads back as the same number: `512MiB`, `10GB`, `3059712`.
std::string exact_bytes(Bytes bytes);

// Returns three significant digits: `1.24 ms`.
std::string format_duration(Nanoseconds duration);

inline double seconds(Nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

inline Nanoseconds from_seconds(double value) {
  return std::chrono::duration_cast<Nanoseconds>(std::chrono::duration<double>(value));
}

constexpr uint64_t round_up(uint64_t value, uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}
constexpr uint64_t round_down(uint64_t value, uint64_t multiple) {
  return value / multiple * multiple;
}

}  // namespace spillway
