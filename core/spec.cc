#include "core/spec.h"

#include <algorithm>

namespace spillway {

Result<Spec> parse_spec(std::string_view text) {
  Spec spec;
  const size_t colon = text.find(':');
  spec.name = text.substr(0, colon);
  if (spec.name.empty()) {
    return wrong_usage("'{}' names nothing; write NAME or NAME:key=value,key=value", text);
  }
  std::string_view rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    const std::string_view pair = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    const size_t equals = pair.find('=');
    std::string key(pair.substr(0, equals));
    std::string value(equals == std::string_view::npos ? "1" : pair.substr(equals + 1));
    if (key.empty()) {
      return wrong_usage("'{}' has an option without a name; write {}:key=value", text, spec.name);
    }
    const auto same_key = [&](const auto& earlier) { return earlier.first == key; };
    if (std::any_of(spec.values.begin(), spec.values.end(), same_key)) {
      return wrong_usage("'{}' gives option {} twice", text, key);
    }
    spec.values.emplace_back(std::move(key), std::move(value));
  }
  return spec;
}

}  // namespace spillway
