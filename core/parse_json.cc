#include "core/parse_json.h"

#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/json.h"
#include "core/units.h"

namespace spillway {
namespace {

// Builds the JSON tree from the values that nlohmann's parser reports. The library's own builder searches all
// keys of an object for each further key, which takes hours for an object with millions of keys.
class Builder {
 public:
  explicit Builder(JsonLimits limits) : limits_(limits) {}

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(Json::number_integer_t value) { return add(value); }
  bool number_unsigned(Json::number_unsigned_t value) { return add(value); }
  bool number_float(Json::number_float_t value, const std::string&) { return add(value); }
  bool string(std::string& value) { return add(std::move(value)); }
  bool binary(Json::binary_t& value) { return add(std::move(value)); }

  bool start_object(size_t) { return open(Json::object()); }
  bool start_array(size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string& name) {
    Level& level = levels_.back();
    if (!level.keys.insert(name).second) {
      problem_ = fmt::format("has the key '{}' twice in one object", name);
      return false;
    }
    auto& members = level.value->get_ref<Json::object_t&>();
    members.emplace_back(std::move(name), nullptr);
    member_ = &members.back().second;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const Json::exception&) {
    problem_ = fmt::format("is not JSON: something is wrong at byte {}", position);
    return false;
  }

  Json take_root() { return std::move(root_); }
  const std::string& problem() const { return problem_; }

 private:
  struct Level {
    Json* value = nullptr;
    std::unordered_set<std::string> keys;  // empty unless the level is an object
  };

  // Puts the next value where it belongs and returns its address, which is valid until the value after it.
  Json* place(Json&& value) {
    if (levels_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *levels_.back().value;
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    *member_ = std::move(value);
    return member_;
  }

  bool add(Json value) {
    place(std::move(value));
    return true;
  }

  bool open(Json value) {
    if (levels_.size() == limits_.most_depth) {
      problem_ = fmt::format("has lists and objects nested more than {} deep", limits_.most_depth);
      return false;
    }
    levels_.push_back({place(std::move(value)), {}});
    return true;
  }

  bool close() {
    levels_.pop_back();
    return true;
  }

  JsonLimits limits_;
  Json root_;
  std::vector<Level> levels_;
  Json* member_ = nullptr;  // the value of the key read last
  std::string problem_;
};

}  // namespace

Result<Json> parse_json(std::string_view text, JsonLimits limits) {
  if (text.size() > limits.most_bytes) {
    return failed("is {} long; JSON may be at most {} here", format_bytes(text.size()),
                  format_bytes(limits.most_bytes));
  }
  Builder builder(limits);
  if (!Json::sax_parse(text, &builder)) {
    return failed("{}", builder.problem());
  }
  return builder.take_root();
}

}  // namespace spillway
