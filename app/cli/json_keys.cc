#include "app/cli/json_keys.h"

#include <cmath>

#include "core/json.h"
#include "core/units.h"

namespace spillway {
namespace {

const Json kNothing;

}  // namespace

const Json* JsonKeys::find(const char* key) const {
  const auto found = object_.is_object() ? object_.find(key) : object_.end();
  return object_.is_object() && found != object_.end() ? &*found : nullptr;
}

void JsonKeys::wanted(const char* key, const std::string& what) {
  if (!problem_) {
    problem_ = Error{ErrorKind::failed, fmt::format("'{}' must be {}", key, what)};
  }
}

void JsonKeys::adopt(const JsonKeys& child) {
  if (!problem_) {
    problem_ = child.problem_;
  }
}

JsonKeys JsonKeys::child(const char* key) {
  const Json* found = find(key);
  if (found == nullptr || !found->is_object()) {
    wanted(key, "an object");
    return JsonKeys(kNothing);
  }
  return JsonKeys(*found);
}

std::string JsonKeys::text(const char* key, std::optional<std::string> otherwise) {
  const Json* found = find(key);
  if (found != nullptr && found->is_string()) {
    return found->get<std::string>();
  }
  if (found != nullptr || !otherwise) {
    wanted(key, "a text");
  }
  return otherwise.value_or("");
}

uint32_t JsonKeys::count(const char* key, std::optional<uint32_t> otherwise) {
  const Json* found = find(key);
  if (found != nullptr && found->is_number_unsigned() && found->get<uint64_t>() <= UINT32_MAX) {
    return found->get<uint32_t>();
  }
  if (found != nullptr || !otherwise) {
    wanted(key, "a whole number");
  }
  return otherwise.value_or(0);
}

uint64_t JsonKeys::large_count(const char* key) {
  const Json* found = find(key);
  if (found != nullptr && found->is_number_unsigned()) {
    return found->get<uint64_t>();
  }
  wanted(key, "a whole number");
  return 0;
}

double JsonKeys::real(const char* key, std::optional<double> otherwise) {
  const Json* found = find(key);
  if (found != nullptr && found->is_number() && std::isfinite(found->get<double>()) &&
      found->get<double>() >= 0) {
    return found->get<double>();
  }
  if (found != nullptr || !otherwise) {
    wanted(key, "a number that is not negative");
  }
  return otherwise.value_or(0);
}

bool JsonKeys::flag(const char* key, bool otherwise) {
  const Json* found = find(key);
  if (found != nullptr && !found->is_boolean()) {
    wanted(key, "true or false");
    return otherwise;
  }
  return found == nullptr ? otherwise : found->get<bool>();
}

uint64_t JsonKeys::size(const char* key) {
  const Result<Bytes> parsed = parse_bytes(text(key));
  if (!parsed) {
    wanted(key, "a size such as \"6GB\"");
  }
  return parsed.value_or(Bytes{}).count;
}

double JsonKeys::rate(const char* key) {
  const Result<Bytes> parsed = parse_rate(text(key));
  if (!parsed || parsed->count == 0) {
    wanted(key, "a rate such as \"7.4GB/s\"");
  }
  return double(parsed.value_or(Bytes{1}).count);
}

double JsonKeys::duration_s(const char* key) {
  const Result<Nanoseconds> parsed = parse_duration(text(key));
  if (!parsed) {
    wanted(key, "a time such as \"80us\"");
  }
  return seconds(parsed.value_or(Nanoseconds{0}));
}

plan::Range JsonKeys::range(const char* key) {
  const Json* found = find(key);
  bool sane = found != nullptr && found->is_array() && found->size() == 3;
  double values[3] = {0, 0, 0};
  for (size_t i = 0; sane && i < 3; ++i) {
    const Json& value = (*found)[i];
    sane = value.is_number() && std::isfinite(value.get<double>()) && value.get<double>() >= 0 &&
           (i == 0 || value.get<double>() >= values[i - 1]);
    values[i] = sane ? value.get<double>() : 0;
  }
  if (!sane) {
    wanted(key, "three ascending numbers: [low, most likely, high]");
  }
  return {values[0], values[1], values[2]};
}

std::vector<std::string> JsonKeys::texts(const char* key) {
  std::vector<std::string> texts;
  for (const Json& value : list(key)) {
    if (!value.is_string()) {
      wanted(key, "a list of texts");
      return {};
    }
    texts.push_back(value.get<std::string>());
  }
  return texts;
}

std::vector<Json> JsonKeys::list(const char* key) {
  const Json* found = find(key);
  if (found == nullptr || !found->is_array()) {
    wanted(key, "a list");
    return {};
  }
  return found->get<std::vector<Json>>();
}

}  // namespace spillway
