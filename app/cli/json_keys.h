#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json_fwd.h"
#include "core/result.h"
#include "sim/plan/hardware.h"

namespace spillway {

// Reads the keys of one object that somebody else wrote. Each look-up returns a value of its type, whatever
// is there; the first that found none is what problem() tells, so that a reader checks once, at the end.
class JsonKeys {
 public:
  explicit JsonKeys(const Json& object) : object_(object) {}

  bool has(const char* key) const { return find(key) != nullptr; }
  JsonKeys child(const char* key);

  std::string text(const char* key, std::optional<std::string> otherwise = std::nullopt);
  uint32_t count(const char* key, std::optional<uint32_t> otherwise = std::nullopt);
  uint64_t large_count(const char* key);
  double real(const char* key, std::optional<double> otherwise = std::nullopt);  // finite, never negative
  bool flag(const char* key, bool otherwise);
  uint64_t size(const char* key);      // `6GB`
  double rate(const char* key);        // `546GB/s`; above 0
  double duration_s(const char* key);  // `80us`
  plan::Range range(const char* key);  // [low, most likely, high], ascending
  std::vector<std::string> texts(const char* key);
  std::vector<Json> list(const char* key);

  const std::optional<Error>& problem() const { return problem_; }
  // Takes over what a child found wrong.
  void adopt(const JsonKeys& child);

 private:
  const Json* find(const char* key) const;
  void wanted(const char* key, const std::string& what);

  const Json& object_;
  std::optional<Error> problem_;
};

}  // namespace spillway
