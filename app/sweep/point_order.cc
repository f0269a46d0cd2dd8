#include "app/sweep/point_order.h"

#include <algorithm>
#include <compare>

#include "app/sweep/results.h"
#include "core/options.h"

namespace spillway {
namespace {

// The worth of a value that is an amount. Amounts of different kinds are not compared with each other.
struct Amount {
  enum class Kind { count, share, duration };
  Kind kind{};
  double worth = 0;

  friend std::partial_ordering operator<=>(const Amount&, const Amount&) = default;
};

std::optional<Amount> amount_of(const std::string& text) {
  double number = 0;
  if (read_option(text, number)) {
    return Amount{Amount::Kind::count, number};
  }
  if (Bytes bytes; read_option(text, bytes)) {
    return Amount{Amount::Kind::count, double(bytes.count)};
  }
  if (text.ends_with('%') && read_option(text.substr(0, text.size() - 1), number)) {
    return Amount{Amount::Kind::share, number};
  }
  if (Nanoseconds time{}; read_option(text, time)) {
    return Amount{Amount::Kind::duration, double(time.count())};
  }
  return std::nullopt;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Returns the digits at the beginning of `text` without leading zeros, and removes them from it.
std::string_view take_number(std::string_view& text) {
  const size_t end = size_t(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
  std::string_view digits = text.substr(0, end);
  text.remove_prefix(end);
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return digits;
}

// Compares texts by their letters, and numbers inside them as numbers.
std::strong_ordering compare_texts(std::string_view one, std::string_view other) {
  while (!one.empty() && !other.empty()) {
    std::strong_ordering order = std::strong_ordering::equal;
    if (is_digit(one.front()) && is_digit(other.front())) {
      const std::string_view a = take_number(one);
      const std::string_view b = take_number(other);
      order = a.size() != b.size() ? a.size() <=> b.size() : a <=> b;
    } else {
      order = one.front() <=> other.front();
      one.remove_prefix(1);
      other.remove_prefix(1);
    }
    if (order != 0) {
      return order;
    }
  }
  return one.size() <=> other.size();
}

// Compares the values of one axis. Amounts come before other texts.
std::strong_ordering compare_values(const std::string& one, const std::string& other) {
  const std::optional<Amount> a = amount_of(one);
  const std::optional<Amount> b = amount_of(other);
  if (a && b && *a != *b) {
    return *a < *b ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  if (a.has_value() != b.has_value()) {
    return a ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  const std::strong_ordering order = compare_texts(one, other);
  return order != 0 ? order : one <=> other;
}

}  // namespace

bool PointOrder::operator()(const PointOf& one, const PointOf& other) const {
  for (size_t i = 0; i < std::min(one.size(), other.size()); ++i) {
    if (one[i].first != other[i].first) {
      return one[i].first < other[i].first;
    }
    const std::strong_ordering order =
        one[i].second == other[i].second
            ? std::strong_ordering::equal
            : compare_values(plain_label(one[i].second), plain_label(other[i].second));
    if (order != 0) {
      return order < 0;
    }
    if (one[i].second != other[i].second) {  // 1 and "1"
      return one[i].second < other[i].second;
    }
  }
  return one.size() < other.size();
}

}  // namespace spillway
