#include "app/cli/json_keys.h"

#include <algorithm>
#include <cmath>

#include "core/json.h"
#include "core/units.h"

namespace spillway {
namespace {

const Json kNothing;

bool is_amount(const Json& value) {
  return value.is_number() && std::isfinite(value.get<double>()) && value.get<double>() >= 0;
}

}  // namespace

const Json* JsonKeys::find(const char* key) const {
  if (!object_.is_object()) {
    return nullptr;
  }
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

void JsonKeys::wanted(const char* key, const std::string& what) {
  if (!*problem_) {
    *problem_ = Error{ErrorKind::failed, fmt::format("'{}{}' must be {}", where_, key, what)};
  }
}

JsonKeys JsonKeys::child(const char* key) {
  const Json* found = find(key);
  if (found == nullptr || !found->is_object()) {
    wanted(key, "an object");
    found = &kNothing;
  }
  return JsonKeys(*found, where_ + key + "/", problem_);
}

void JsonKeys::each(const char* key, FunctionRef<void(JsonKeys& object)> read) {
  const Json* found = find(key);
  if (found == nullptr || !found->is_array()) {
    wanted(key, "a list");
    return;
  }
  for (size_t i = 0; i < found->size(); ++i) {
    JsonKeys object((*found)[i], fmt::format("{}{}/{}/", where_, key, i), problem_);
    read(object);
  }
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

uint64_t JsonKeys::large_count(const char* key, std::optional<uint64_t> otherwise) {
  const Json* found = find(key);
  if (found != nullptr && found->is_number_unsigned()) {
    return found->get<uint64_t>();
  }
  if (found != nullptr || !otherwise) {
    wanted(key, "a whole number");
  }
  return otherwise.value_or(0);
}

double JsonKeys::real(const char* key, std::optional<double> otherwise) {
  const Json* found = find(key);
  if (found != nullptr && is_amount(*found)) {
    return found->get<double>();
  }
  if (found != nullptr || !otherwise) {
    wanted(key, "a number that is not negative");
  }
  return otherwise.value_or(0);
}

double JsonKeys::signed_real(const char* key) {
  const Json* found = find(key);
  if (found != nullptr && found->is_number() && std::isfinite(found->get<double>())) {
    return found->get<double>();
  }
  wanted(key, "a number");
  return 0;
}

bool JsonKeys::flag(const char* key, std::optional<bool> otherwise) {
  const Json* found = find(key);
  if (found != nullptr && found->is_boolean()) {
    return found->get<bool>();
  }
  if (found != nullptr || !otherwise) {
    wanted(key, "true or false");
  }
  return otherwise.value_or(false);
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
    sane = is_amount(value) && (i == 0 || value.get<double>() >= values[i - 1]);
    values[i] = sane ? value.get<double>() : 0;
  }
  if (!sane) {
    wanted(key, "three ascending numbers: [low, most likely, high]");
  }
  return {values[0], values[1], values[2]};
}

template <class Value>
std::vector<Value> JsonKeys::values(const char* key, const char* what,
                                    FunctionRef<bool(const Json&)> is_one) {
  const Json* found = find(key);
  std::vector<Value> values;
  if (found == nullptr || !found->is_array() || !std::all_of(found->begin(), found->end(), is_one)) {
    wanted(key, what);
    return values;
  }
  for (const Json& value : *found) {
    values.push_back(value.get<Value>());
  }
  return values;
}

std::vector<std::string> JsonKeys::texts(const char* key) {
  return values<std::string>(key, "a list of texts", [](const Json& value) { return value.is_string(); });
}

std::vector<std::string> JsonKeys::text_or_texts(const char* key) {
  const Json* found = find(key);
  return found == nullptr     ? std::vector<std::string>()
         : found->is_string() ? std::vector<std::string>{found->get<std::string>()}
                              : texts(key);
}

std::vector<uint64_t> JsonKeys::large_counts(const char* key) {
  return values<uint64_t>(key, "a list of whole numbers",
                          [](const Json& value) { return value.is_number_unsigned(); });
}

std::vector<double> JsonKeys::reals(const char* key) {
  return values<double>(key, "a list of numbers that are not negative",
                        [](const Json& value) { return is_amount(value); });
}

std::vector<std::pair<std::string, std::string>> JsonKeys::texts_by_name(const char* key) {
  const Json* found = find(key);
  const auto is_text = [](const Json& value) { return value.is_string(); };
  std::vector<std::pair<std::string, std::string>> texts;
  if (found == nullptr || !found->is_object() || !std::all_of(found->begin(), found->end(), is_text)) {
    wanted(key, "an object of texts");
    return texts;
  }
  for (const auto& [name, text] : found->items()) {
    texts.emplace_back(name, text.get<std::string>());
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
