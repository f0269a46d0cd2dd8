#include "core/options.h"

#include <charconv>

namespace spillway {
namespace {

template <class T>
Result<void> read_number(const std::string& text, T& value) {
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  if (problem != std::errc{} || stop != end) {
    return wrong_usage("'{}' is not a number this option takes", text);
  }
  return {};
}

template <class T>
Result<void> assign(Result<T> parsed, T& value) {
  if (!parsed) {
    return propagate(parsed);
  }
  value = *parsed;
  return {};
}

}  // namespace

std::string option_text(uint64_t value) {
  return fmt::format("{}", value);
}
std::string option_text(int64_t value) {
  return fmt::format("{}", value);
}
std::string option_text(double value) {
  return fmt::format("{}", value);
}
std::string option_text(bool value) {
  return value ? "1" : "0";
}
std::string option_text(Bytes value) {
  return exact_bytes(value);
}
std::string option_text(BytesPerSecond value) {
  return exact_bytes(Bytes{value.count}) + "/s";
}
std::string option_text(Nanoseconds value) {
  return fmt::format("{}ns", value.count());
}
std::string option_text(const std::string& value) {
  return value;
}

Result<void> read_option(const std::string& text, uint64_t& value) {
  return read_number(text, value);
}
Result<void> read_option(const std::string& text, int64_t& value) {
  return read_number(text, value);
}
Result<void> read_option(const std::string& text, double& value) {
  return read_number(text, value);
}

Result<void> read_option(const std::string& text, bool& value) {
  if (text == "1" || text == "true" || text == "yes" || text == "on") {
    value = true;
  } else if (text == "0" || text == "false" || text == "no" || text == "off") {
    value = false;
  } else {
    return wrong_usage("'{}' is neither 1 nor 0", text);
  }
  return {};
}

Result<void> read_option(const std::string& text, Bytes& value) {
  return assign(parse_bytes(text), value);
}
Result<void> read_option(const std::string& text, BytesPerSecond& value) {
  Bytes per_second;
  Result<void> read = assign(parse_rate(text), per_second);
  value.count = per_second.count;
  return read;
}
Result<void> read_option(const std::string& text, Nanoseconds& value) {
  return assign(parse_duration(text), value);
}

Result<void> read_option(const std::string& text, std::string& value) {
  value = text;
  return {};
}

}  // namespace spillway
