#include "core/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace spillway {
namespace {

struct Unit {
  std::string_view suffix;
  double factor;
};

// In small letters: a size is written in any case.
constexpr std::array<Unit, 18> kByteUnits = {{{"", 1},
                                              {"b", 1},
                                              {"k", 1e3},
                                              {"kb", 1e3},
                                              {"m", 1e6},
                                              {"mb", 1e6},
                                              {"g", 1e9},
                                              {"gb", 1e9},
                                              {"t", 1e12},
                                              {"tb", 1e12},
                                              {"ki", double(kKiB)},
                                              {"kib", double(kKiB)},
                                              {"mi", double(kMiB)},
                                              {"mib", double(kMiB)},
                                              {"gi", double(kGiB)},
                                              {"gib", double(kGiB)},
                                              {"ti", 1024.0 * double(kGiB)},
                                              {"tib", 1024.0 * double(kGiB)}}};

constexpr std::array<Unit, 4> kTimeUnits = {{{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}}};

// Returns the number in `text` times its unit's factor; NaN if either cannot be parsed or the
// value is negative.
template <size_t N>
double parse_with_unit(std::string_view text, const std::array<Unit, N>& units) {
  double number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || !std::isfinite(number) || number < 0) {
    return std::nan("");
  }
  std::string_view suffix(end, size_t(text.data() + text.size() - end));
  while (!suffix.empty() && suffix.front() == ' ') {
    suffix.remove_prefix(1);
  }
  for (const Unit& unit : units) {
    if (unit.suffix == suffix) {
      return number * unit.factor;
    }
  }
  return std::nan("");
}

std::string three_digits(double value, std::string_view unit) {
  const int decimals = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return fmt::format("{:.{}f} {}", value, decimals, unit);
}

}  // namespace

Result<Bytes> parse_bytes(std::string_view text) {
  std::string small(text);
  std::transform(small.begin(), small.end(), small.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  const double value = parse_with_unit(small, kByteUnits);
  if (std::isnan(value) || value >= 9.2e18) {
    return wrong_usage("'{}' is not a size; write it like 10GB, 512MiB or 4096", text);
  }
  return Bytes{uint64_t(std::llround(value))};
}

Result<Bytes> parse_rate(std::string_view text) {
  std::string_view size = text;
  if (!size.ends_with("/s")) {
    return wrong_usage("'{}' is not a rate; write it like 3.6GB/s", text);
  }
  size.remove_suffix(2);
  Result<Bytes> bytes = parse_bytes(size);
  if (!bytes) {
    return wrong_usage("'{}' is not a rate; write it like 3.6GB/s", text);
  }
  return bytes;
}

Result<Nanoseconds> parse_duration(std::string_view text) {
  const double value = parse_with_unit(text, kTimeUnits);
  if (std::isnan(value) || value >= 9.2e18) {
    return wrong_usage("'{}' is not a duration; write it like 2ms, 80us or 1.5s", text);
  }
  return Nanoseconds(std::llround(value));
}

std::string format_bytes(uint64_t bytes) {
  const double value = double(bytes);
  if (value < 1e3) {
    return fmt::format("{} B", bytes);
  }
  if (value < 1e6) {
    return three_digits(value / 1e3, "kB");
  }
  if (value < 1e9) {
    return three_digits(value / 1e6, "MB");
  }
  if (value < 1e12) {
    return three_digits(value / 1e9, "GB");
  }
  return three_digits(value / 1e12, "TB");
}

std::string exact_bytes(Bytes bytes) {
  constexpr std::array<std::pair<uint64_t, std::string_view>, 6> kUnits = {
      {{kGiB, "GiB"}, {1'000'000'000, "GB"}, {kMiB, "MiB"}, {1'000'000, "MB"}, {kKiB, "KiB"}, {1'000, "kB"}}};
  if (bytes.count != 0) {
    for (const auto& [factor, suffix] : kUnits) {
      if (bytes.count % factor == 0) {
        return fmt::format("{}{}", bytes.count / factor, suffix);
      }
    }
  }
  return fmt::format("{}", bytes.count);
}

std::string format_duration(Nanoseconds duration) {
  const double value = double(duration.count());
  if (value < 1e3) {
    return fmt::format("{} ns", duration.count());
  }
  if (value < 1e6) {
    return three_digits(value / 1e3, "us");
  }
  if (value < 1e9) {
    return three_digits(value / 1e6, "ms");
  }
  return three_digits(value / 1e9, "s");
}

}  // namespace spillway
