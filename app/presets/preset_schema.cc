// The only file that includes valijson, whose headers take longer to compile than a whole command.
#include "app/presets/preset_schema.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>
#include <vector>

#include "app/cli/json_file.h"
#include "app/presets/installed.h"
#include "core/json.h"
#include "core/nearest.h"
#include "core/text.h"

namespace spillway {
namespace {

using Plain = nlohmann::json;  // the type of valijson's adapter; its keys have no order
using Adapter = valijson::adapters::NlohmannJsonAdapter;

// A schema as a document, for messages, and as the library checks with it.
struct LoadedSchema {
  Plain document;
  valijson::Schema checked;
};

Result<std::unique_ptr<LoadedSchema>> load_schema(const std::string& path) {
  Result<Json> json = read_json(path, kMostDocumentBytes);
  if (!json) {
    return propagate(json);
  }
  auto schema = std::make_unique<LoadedSchema>();
  schema->document = Plain::parse(json->dump(), nullptr, false);
  try {
    valijson::SchemaParser().populateSchema(Adapter(schema->document), schema->checked);
  } catch (const std::exception& problem) {
    return failed("{}: not a usable schema: {}", path, problem.what());
  }
  return schema;
}

// Returns the installed schema of this name. Each is read once.
Result<const LoadedSchema*> schema_called(const std::string& name) {
  static std::map<std::string, std::unique_ptr<LoadedSchema>> known;
  std::unique_ptr<LoadedSchema>& schema = known[name];
  if (!schema) {
    Result<std::unique_ptr<LoadedSchema>> loaded = load_schema(installed_folder("schema") + "/" + name);
    if (!loaded) {
      return propagate(loaded);
    }
    schema = std::move(*loaded);
  }
  return schema.get();
}

// Returns `drive-1.json` for `spillway.drive/1`, or an empty text for another text.
std::string file_of(std::string schema) {
  constexpr std::string_view kOurs = "spillway.";
  if (!schema.starts_with(kOurs)) {
    return "";
  }
  std::string name = schema.substr(kOurs.size());
  std::replace(name.begin(), name.end(), '/', '-');
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  return plain ? name + ".json" : "";
}

// A place in a preset: its value there, the part of the schema for it, and the keys that lead to it.
struct Place {
  const Plain* value = nullptr;
  const Plain* schema = nullptr;
  std::string path;  // `attention/heads`
};

// Goes one step down, by a key or an index as valijson writes them: `[heads]`, `[0]`.
void step(Place& place, std::string word) {
  word = word.substr(1, word.size() - 2);
  place.path += (place.path.empty() ? "" : "/") + word;
  if (place.value->is_array()) {
    size_t index = 0;
    std::from_chars(word.data(), word.data() + word.size(), index);
    place.value = index < place.value->size() ? &(*place.value)[index] : place.value;
    const auto items = place.schema->find("items");
    if (items != place.schema->end()) {
      place.schema = items->is_array() && index < items->size() ? &(*items)[index] : &*items;
    }
    return;
  }
  const auto value = place.value->find(word);
  place.value = value != place.value->end() ? &*value : place.value;
  const Plain properties = place.schema->value("properties", Plain::object());
  if (properties.contains(word)) {
    place.schema = &(*place.schema)["properties"][word];
  } else if (place.schema->contains("additionalProperties")) {
    place.schema = &(*place.schema)["additionalProperties"];
  }
}

std::vector<std::string> keys_of(const Plain& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) {
    keys.push_back(key);
  }
  return keys;
}

// Says what is wrong with the object at `place`: a key that does not belong there, or one that is missing.
// Returns nothing if its keys are right.
std::optional<std::string> wrong_key(const Place& place) {
  if (!place.value->is_object() || !place.schema->is_object() || !place.schema->contains("properties")) {
    return std::nullopt;
  }
  const std::string where = place.path.empty() ? "" : place.path + "/";
  const Plain& properties = (*place.schema)["properties"];
  const std::vector<std::string> known = keys_of(properties);
  for (const std::string& key : keys_of(*place.value)) {
    if (!properties.contains(key) && !place.schema->value("additionalProperties", Plain(true)).is_object()) {
      const std::optional<std::string> meant = nearest_name(key, known);
      return meant ? fmt::format("there is no key '{}{}'; did you mean '{}{}'?", where, key, where, *meant)
                   : fmt::format("there is no key '{}{}'; there are: {}", where, key, join(known, ", "));
    }
  }
  for (const Plain& key : place.schema->value("required", Plain::array())) {
    const std::string name = key.get<std::string>();
    if (!place.value->contains(name)) {
      return fmt::format("'{}{}' is missing; it must be {}", where, name,
                         properties.value(name, Plain::object()).value("description", "there"));
    }
  }
  return std::nullopt;
}

// Describes an error of the library in words that name the key and what belongs there.
std::string describe(const valijson::ValidationResults::Error& error, const Plain& preset,
                     const Plain& schema) {
  Place place{&preset, &schema, ""};
  std::string wanted;
  std::string named;  // the keys that lead to the innermost place whose schema has a description
  for (size_t i = 1; i < error.context.size(); ++i) {  // the first is the root
    step(place, error.context[i]);
    if (place.schema->is_object() && place.schema->contains("description")) {
      wanted = place.schema->value("description", "");
      named = place.path;
    }
  }
  if (const std::optional<std::string> wrong = wrong_key(place)) {
    return *wrong;
  }
  return wanted.empty() ? error.description : fmt::format("'{}' must be {}", named, wanted);
}

}  // namespace

Result<void> check_schema(const Json& preset) {
  const std::string name = preset.is_object() && preset.contains("schema") && preset["schema"].is_string()
                               ? file_of(preset["schema"].get<std::string>())
                               : "";
  if (name.empty()) {
    return failed("not a JSON object with a schema such as spillway.drive/1");
  }
  Result<const LoadedSchema*> schema = schema_called(name);
  if (!schema) {
    return propagate(schema);
  }
  const Plain plain =
      Plain::parse(preset.dump(-1, ' ', false, Json::error_handler_t::replace), nullptr, false);
  valijson::ValidationResults results;
  bool valid = false;
  try {
    valid = valijson::Validator().validate((*schema)->checked, Adapter(plain), &results);
  } catch (const std::exception& problem) {
    return failed("cannot be checked: {}", problem.what());
  }
  if (valid) {
    return {};
  }
  // The error that lies deepest says most; those above it only say that something below is wrong.
  const auto deepest = std::max_element(results.begin(), results.end(), [](const auto& a, const auto& b) {
    return a.context.size() < b.context.size();
  });
  return failed("{}", deepest == results.end() ? "does not fit its schema"
                                               : describe(*deepest, plain, (*schema)->document));
}

}  // namespace spillway
