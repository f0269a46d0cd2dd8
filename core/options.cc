#include "core/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/nearest.h"

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

std::string name_list(const std::vector<OptionInfo>& options) {
  std::string names;
  for (const OptionInfo& option : options) {
    names += names.empty() ? option.name : ", " + option.name;
  }
  return names;
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
  double number = 0;
  if (Result<void> read = read_number(text, number); !read) {
    return read;
  }
  // std::from_chars accepts `nan` and `inf`, and no option here may be negative.
  if (!std::isfinite(number) || number < 0) {
    return wrong_usage("'{}' is not a number this option takes", text);
  }
  value = number;
  return {};
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

Result<void> check_keys(const Spec& spec, const std::vector<OptionInfo>& options) {
  for (const auto& [key, text] : spec.values) {
    if (options.empty()) {
      return wrong_usage("{} has no options; write it without ':'", spec.name);
    }
    if (key.empty()) {
      return wrong_usage("{}: there is an option without a name; write {}:NAME=VALUE with one of: {}",
                         spec.name, spec.name, name_list(options));
    }
    const auto found = std::find_if(options.begin(), options.end(),
                                    [&name = key](const OptionInfo& option) { return option.name == name; });
    if (found == options.end()) {
      std::vector<std::string> names;
      for (const OptionInfo& option : options) {
        names.push_back(option.name);
      }
      return wrong_usage("{} has no option '{}'{}", spec.name, key, meant_or_all(key, names));
    }
    if (text ? text->empty() : !found->is_switch) {
      return wrong_usage("{}: option {} has no value; write it like {}={} (the options are: {})", spec.name,
                         key, key, found->default_value, name_list(options));
    }
  }
  return {};
}

}  // namespace spillway
