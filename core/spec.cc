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
  size_t at = colon;
  while (at != std::string_view::npos) {
    const size_t comma = text.find(',', at + 1);
    const size_t end = std::min(comma, text.size());
    const std::string_view pair = text.substr(at + 1, end - at - 1);
    at = comma;
    const size_t equals = pair.find('=');
    std::string key(pair.substr(0, equals));
    std::optional<std::string> value;
    if (equals != std::string_view::npos) {
      value = pair.substr(equals + 1);
    }
    const auto same_key = [&](const auto& earlier) { return earlier.first == key; };
    if (!key.empty() && std::any_of(spec.values.begin(), spec.values.end(), same_key)) {
      return wrong_usage("'{}' gives option {} twice", text, key);
    }
    spec.values.emplace_back(std::move(key), std::move(value));
  }
  return spec;
}

}  // namespace spillway
