#include "app/presets/preset_schema.h"

#include <gtest/gtest.h>

#include <map>

#include "app/plan/claims.h"
#include "app/plan/sources.h"
#include "app/presets/plan_presets.h"
#include "app/presets/presets.h"
#include "app/run/open_drive.h"
#include "core/json.h"
#include "tests/support/files.h"

namespace spillway {
namespace {

namespace fs = std::filesystem;

Json read(const fs::path& path) {
  return Json::parse(test::read_file(path), nullptr, false);
}

std::string complaint(const Json& preset) {
  const Result<void> valid = check_schema(preset);
  return valid ? "" : valid.error().message;
}

const fs::path kPresets = fs::path(SPILLWAY_SOURCE_DIR) / "share/presets";

// A preset of each kind, by the names of its schema.
std::map<std::string, Json> one_of_each() {
  return {{"model", read(kPresets / "models/gemma-4-26b-a4b.json")},
          {"machine", read(kPresets / "machines/desktop-ddr5.json")},
          {"drive", read(kPresets / "drives/nvme-gen4.json")},
          {"runtime", read(kPresets / "runtimes/flash-moe.json")},
          {"locality", read(kPresets / "locality/gemma-4-26b-a4b.json")},
          {"claims", read(kPresets / "claims/published.json")}};
}

TEST(PresetSchema, EveryPresetThatShipsIsValid) {
  size_t presets = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(kPresets)) {
    if (entry.path().extension() == ".json") {
      EXPECT_EQ(complaint(read(entry.path())), "") << entry.path();
      ++presets;
    }
  }
  EXPECT_GE(presets, 50U);
}

TEST(PresetSchema, EveryKeyThatIsMissingIsNamedWithWhatBelongsThere) {
  for (const auto& [kind, preset] : one_of_each()) {
    const Json schema = read(fs::path(SPILLWAY_SOURCE_DIR) / "share/schema" / (kind + "-1.json"));
    for (const Json& required : schema["required"]) {
      const std::string key = required.get<std::string>();
      Json without = preset;
      without.erase(key);
      if (key != "schema") {
        EXPECT_EQ(complaint(without).find("'" + key + "' is missing; it must be "), 0U) << complaint(without);
      }
    }
  }
}

TEST(PresetSchema, AMisspeltKeyIsNamedWithTheOneThatWasMeant) {
  for (const auto& [kind, preset] : one_of_each()) {
    for (const auto& [key, value] : preset.items()) {
      if (key == "schema" || key == "name") {
        continue;
      }
      Json misspelt = preset;
      const std::string wrong = key.substr(0, key.size() - 2) + key.back() + key[key.size() - 2];
      if (wrong == key) {
        continue;
      }
      misspelt[wrong] = value;
      misspelt.erase(key);
      EXPECT_EQ(complaint(misspelt), "there is no key '" + wrong + "'; did you mean '" + key + "'?") << kind;
    }
  }
  Json nested = one_of_each()["model"];
  nested["attention"]["kv_haeds"] = 2;
  EXPECT_EQ(complaint(nested), "there is no key 'attention/kv_haeds'; did you mean 'attention/kv_heads'?");
  Json foreign = one_of_each()["drive"];
  foreign["colour"] = "blue";
  EXPECT_EQ(complaint(foreign).find("there is no key 'colour'; there are: "), 0U) << complaint(foreign);
}

TEST(PresetSchema, AValueOutOfBoundsIsNamedWithTheBounds) {
  const auto changed = [](const std::string& kind, const std::string& pointer, const Json& value) {
    Json preset = one_of_each()[kind];
    preset[Json::json_pointer(pointer)] = value;
    return complaint(preset);
  };
  EXPECT_EQ(changed("model", "/layers", 0), "'layers' must be a whole number from 1 to 65535");
  EXPECT_EQ(changed("model", "/layers", "30"), "'layers' must be a whole number from 1 to 65535");
  EXPECT_EQ(changed("model", "/attention/heads", 0),
            "'attention/heads' must be a whole number of at least 1");
  EXPECT_EQ(changed("model", "/tied_head", "yes"), "'tied_head' must be true or false");
  EXPECT_EQ(
      changed("model", "/expert_bytes/Q4_K_M", "4MB").find("'expert_bytes/Q4_K_M' must be a size in bytes"),
      0U);
  EXPECT_EQ(changed("runtime", "/path", "page-cache"), "'path' must be direct or page_cache");
  EXPECT_EQ(changed("runtime", "/hidden", Json::parse("[0, 1, 2]")),
            "'hidden' must be three ascending numbers: [low, most likely, high], at most 1");
  EXPECT_EQ(changed("machine", "/launch_us", Json::parse("[0, 1, 2]")),
            "'launch_us' must be three ascending numbers: [low, most likely, high], above 0");
  EXPECT_EQ(
      changed("machine", "/drive", "../drives/x").find("'drive' must be the name of one of the presets"), 0U);
  EXPECT_EQ(changed("drive", "/price_usd", -5), "'price_usd' must be a number that is not negative");
  EXPECT_EQ(changed("locality", "/points/3/1", 1.5).find("'points/3' must be a pair"), 0U)
      << changed("locality", "/points/3/1", 1.5);
  EXPECT_EQ(changed("claims", "/rows/2/tok_per_s", 0), "'rows/2/tok_per_s' must be a number above 0");
}

TEST(PresetSchema, WhatIsNoPresetIsRefused) {
  for (const char* text :
       {"[]", "3", "{}", R"({"schema": 3})", R"({"schema": "other/1"})",
        R"({"schema": "spillway.../../etc/passwd"})", R"({"schema": "spillway.unheard-of/1"})"}) {
    EXPECT_NE(complaint(Json::parse(text)), "") << text;
  }
}

class OwnFile : public testing::Test {
 protected:
  std::string write(const std::string& name, const Json& preset) {
    test::write_file(folder_ / name, preset.dump());
    return folder_ / name;
  }
  const test::TemporaryDirectory folder_;
};

TEST_F(OwnFile, OfEachKindIsLoadedByItsPath) {
  std::map<std::string, Json> presets = one_of_each();
  EXPECT_EQ(load_model_shape(write("my model.json", presets["model"]))->shape.layers, 30U);
  EXPECT_EQ(load_machine(write("machine.json", presets["machine"]))->machine.name, "desktop-ddr5");
  EXPECT_TRUE(load_runtime(write("runtime.json", presets["runtime"])));
  EXPECT_TRUE(load_locality(write("locality.json", presets["locality"])));
  const std::string drive = write("drive.json", presets["drive"]);
  EXPECT_TRUE(find_drive(drive));
  EXPECT_TRUE(open_drive({.device = drive})->resolved.starts_with("linear:bandwidth="));
  EXPECT_EQ(load_model_preset(folder_ / "my model.json:Q4_K_M")->type, "Q4_K_M");
  EXPECT_EQ(schema_of_file(drive), kDriveSchema);
  EXPECT_EQ(schema_of_file(folder_ / "none.json"), "");
}

TEST_F(OwnFile, ThatIsWrongIsRefusedWithItsPathAndKey) {
  Json preset = one_of_each()["drive"];
  preset["latnecy"] = "1us";
  const std::string path = write("drive.json", preset);
  const std::string wanted = path + ": there is no key 'latnecy'; did you mean 'latency'?";
  EXPECT_EQ(load_drive(path).error().message, wanted);
  EXPECT_EQ(find_drive(path).error().message, wanted);
  EXPECT_EQ(open_drive({.device = path}).error().message, wanted);
  EXPECT_NE(
      load_machine(path).error().message.find(path + ": not a JSON object of schema spillway.machine/1"),
      std::string::npos);
  EXPECT_NE(load_model_shape(folder_ / "none.json").error().message.find("none.json"), std::string::npos);
}

}  // namespace
}  // namespace spillway
