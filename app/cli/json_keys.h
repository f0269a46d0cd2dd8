#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/function_ref.h"
#include "core/json_fwd.h"
#include "core/result.h"
#include "sim/plan/hardware.h"

namespace spillway {

// Reads the keys of an object from an untrusted file. Each look-up returns a value of its type, also if the
// key is absent or wrong. problem() then reports the first failed look-up in this object and those inside it,
// so that a reader checks once, at the end. A key with the value null counts as absent.
class JsonKeys {
 public:
  explicit JsonKeys(const Json& object) : JsonKeys(object, "", nullptr) {}
  JsonKeys(const JsonKeys&) = delete;
  JsonKeys& operator=(const JsonKeys&) = delete;

  bool has(const char* key) const { return find(key) != nullptr; }

  // Returns the object at `key`. Its problems are reported by the outermost object, which must outlive it.
  JsonKeys child(const char* key);
  // Calls `read` for each object of a list.
  void each(const char* key, FunctionRef<void(JsonKeys& object)> read);

  std::string text(const char* key, std::optional<std::string> otherwise = std::nullopt);
  uint32_t count(const char* key, std::optional<uint32_t> otherwise = std::nullopt);
  uint64_t large_count(const char* key, std::optional<uint64_t> otherwise = std::nullopt);
  double real(const char* key, std::optional<double> otherwise = std::nullopt);  // finite, never negative
  double signed_real(const char* key);                                           // finite
  bool flag(const char* key, std::optional<bool> otherwise = std::nullopt);
  uint64_t size(const char* key);      // `6GB`
  double rate(const char* key);        // `546GB/s`; above 0
  double duration_s(const char* key);  // `80us`
  plan::Range range(const char* key);  // [low, most likely, high], ascending
  std::vector<std::string> texts(const char* key);
  std::vector<std::string> text_or_texts(const char* key);  // `"a"` or `["a", "b"]`; absent: empty
  std::vector<uint64_t> large_counts(const char* key);
  std::vector<double> reals(const char* key);
  std::vector<std::pair<std::string, std::string>> texts_by_name(const char* key);  // an object of texts
  std::vector<Json> list(const char* key);

  const std::optional<Error>& problem() const { return *problem_; }
  // Reports a value that makes no sense: `'key' must be what`.
  void wanted(const char* key, const std::string& what);

 private:
  // `problem` belongs to the outermost object; null: this is the outermost object.
  JsonKeys(const Json& object, std::string where, std::optional<Error>* problem)
      : object_(object), where_(std::move(where)), problem_(problem == nullptr ? &own_problem_ : problem) {}

  const Json* find(const char* key) const;
  template <class Value>
  std::vector<Value> values(const char* key, const char* what, FunctionRef<bool(const Json&)> is_one);

  const Json& object_;
  std::string where_;  // the keys that lead to this object: `phases/measured/`
  std::optional<Error> own_problem_;
  std::optional<Error>* problem_;
};

}  // namespace spillway
