#pragma once

#include <concepts>
#include <string>
#include <vector>

#include "core/spec.h"
#include "core/units.h"

// A plug-in declares its options once, as a struct of defaults with a `visit` member:
//
//   struct Options {
//     uint32_t depth = 32;
//     template <class V> void visit(V& v) { v("depth", depth, "requests in flight"); }
//   };
//
// The parser, the help text and the resolved options in the report all come from this one list. Fields may be
// unsigned or signed integers, double, bool, Bytes, BytesPerSecond, Nanoseconds and std::string.
namespace spillway {

struct OptionInfo {
  std::string name;
  std::string default_value;
  std::string help;
  bool is_switch = false;  // on without a value: `pread:direct`
};

std::string option_text(uint64_t value);
std::string option_text(int64_t value);
std::string option_text(double value);
std::string option_text(bool value);
std::string option_text(Bytes value);
std::string option_text(BytesPerSecond value);
std::string option_text(Nanoseconds value);
std::string option_text(const std::string& value);

template <std::integral T>
requires(!std::same_as<T, bool>) std::string option_text(T value) {
  if constexpr (std::is_signed_v<T>) {
    return option_text(int64_t(value));
  } else {
    return option_text(uint64_t(value));
  }
}

Result<void> read_option(const std::string& text, uint64_t& value);
Result<void> read_option(const std::string& text, int64_t& value);
Result<void> read_option(const std::string& text, double& value);  // must be finite and not negative
Result<void> read_option(const std::string& text, bool& value);
Result<void> read_option(const std::string& text, Bytes& value);
Result<void> read_option(const std::string& text, BytesPerSecond& value);
Result<void> read_option(const std::string& text, Nanoseconds& value);
Result<void> read_option(const std::string& text, std::string& value);

template <std::integral T>
requires(!std::same_as<T, bool> && !std::same_as<T, uint64_t> &&
         !std::same_as<T, int64_t>) Result<void> read_option(const std::string& text, T& value) {
  using Wide = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
  Wide wide = 0;
  if (Result<void> read = read_option(text, wide); !read) {
    return read;
  }
  value = T(wide);
  if (Wide(value) != wide) {
    return wrong_usage("{} is too large", text);
  }
  return {};
}

// Returns the options that `O` declares, with their defaults.
template <class O>
std::vector<OptionInfo> describe_options() {
  std::vector<OptionInfo> list;
  const auto add = [&](const char* name, const auto& value, const char* help) {
    list.push_back({name, option_text(value), help, std::same_as<decltype(value), const bool&>});
  };
  O{}.visit(add);
  return list;
}

// Fails on a key of the spec that is not among `options`, and on a key without a value unless the option is a
// switch. The error lists the available options.
Result<void> check_keys(const Spec& spec, const std::vector<OptionInfo>& options);

// Returns the defaults of `O`, overridden by the spec's values.
template <class O>
Result<O> parse_options(const Spec& spec) {
  if (Result<void> good = check_keys(spec, describe_options<O>()); !good) {
    return propagate(good);
  }
  O options;
  Result<void> outcome;
  const auto read = [&](const char* name, auto& value, const char*) {
    for (const auto& [key, text] : spec.values) {
      if (key != name || !outcome) {
        continue;
      }
      if (Result<void> done = read_option(text.value_or("1"), value); !done) {
        outcome = wrong_usage("{}: option {}: {}", spec.name, key, done.error().message);
      }
    }
  };
  options.visit(read);
  if (!outcome) {
    return propagate(outcome);
  }
  return options;
}

// Returns the spec with every option spelled out, for the report: `uring:depth=64,chunk=1MiB,…`.
template <class O>
std::string resolved_spec(const std::string& name, O options) {
  std::string text = name;
  const auto add = [&](const char* key, const auto& value, const char*) {
    text += fmt::format("{}{}={}", text == name ? ':' : ',', key, option_text(value));
  };
  options.visit(add);
  return text;
}

// The options of plug-ins that have none.
struct NoOptions {
  template <class V>
  void visit(V&) {}
};

}  // namespace spillway
