#include "app/presets/plan_presets.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

#include "app/plan/sources.h"
#include "app/presets/preset_schema.h"
#include "app/presets/presets.h"
#include "app/run/open_drive.h"
#include "core/json.h"
#include "tests/support/files.h"

namespace spillway {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kModels = {"deepseek-v3",     "gemma-4-26b-a4b",  "glm-4.5-air",
                                          "gpt-oss-120b",    "gpt-oss-20b",      "mixtral-8x7b",
                                          "olmoe-1b-7b",     "qwen3-30b-a3b",    "qwen3.5-122b-a10b",
                                          "qwen3.5-35b-a3b", "qwen3.5-397b-a17b"};

TEST(PlanPresets, EveryModelsParametersAddUpToThePublishedOnes) {
  for (const std::string& name : kModels) {
    const Result<ModelShapePreset> model = load_model_shape(name);
    ASSERT_TRUE(model) << model.error().message;
    const double total = double(plan::count_parameters(model->shape).total());
    EXPECT_NEAR(total / double(model->total_parameters), 1, 0.0125) << name;
  }
}

// Some publishers count the embedding, of which a token reads one row, as active; most names round.
TEST(PlanPresets, EveryModelsActiveParametersAreAboutThePublishedOnes) {
  for (const std::string& name : kModels) {
    const Result<ModelShapePreset> model = load_model_shape(name);
    ASSERT_TRUE(model) << model.error().message;
    const double published = double(model->active_parameters);
    const double active = double(plan::active_parameters(model->shape, model->shape.top_k));
    const double with_embedding = active + double(plan::count_parameters(model->shape).embedding);
    EXPECT_LT(std::min(std::abs(active / published - 1), std::abs(with_embedding / published - 1)), 0.07)
        << name;
  }
}

// The traces' geometries and the planner's shapes come from the same file, read by two readers.
TEST(PlanPresets, AShapeIsTheGeometryThatTracesAreMadeFrom) {
  for (const std::string& name : kModels) {
    const Result<ModelShapePreset> model = load_model_shape(name);
    const Result<ModelPreset> traced = load_model_preset(name + ":F16");
    ASSERT_TRUE(model && traced) << name;
    EXPECT_EQ(model->shape.layers, traced->geometry.layers);
    EXPECT_EQ(model->shape.experts, traced->geometry.experts_per_layer);
    const plan::Parameters count = plan::count_parameters(model->shape);
    const uint64_t biases = model->shape.expert_bias ? 2 * model->shape.expert_ffn + model->shape.hidden : 0;
    EXPECT_EQ(traced->geometry.total_bytes(),
              2 * (count.expert - biases) * model->shape.moe_layers() * model->shape.experts)
        << name;
  }
}

TEST(PlanPresets, EverythingThatShipsLoadsAndSaysWhereItIsFrom) {
  const auto all = [](const char* kind, auto load) {
    const std::vector<std::string> names = list_presets(kind, {});
    EXPECT_FALSE(names.empty()) << kind;
    for (const std::string& name : names) {
      const auto preset = load(name);
      EXPECT_TRUE(preset) << (preset ? "" : preset.error().message);
      const Result<PresetFile> file = read_preset(kind, name, {});
      ASSERT_TRUE(file);
      EXPECT_NE(file->contents.find("\"source\": \""), std::string::npos) << kind << "/" << name;
      EXPECT_EQ(describe_preset(kind, name).find("not usable"), std::string::npos) << kind << "/" << name;
    }
  };
  all("models", [](const std::string& name) { return load_model_shape(name); });
  all("machines", [](const std::string& name) { return load_machine(name); });
  all("drives", [](const std::string& name) { return load_drive(name); });
  all("runtimes", [](const std::string& name) { return load_runtime(name); });
  all("locality", [](const std::string& name) { return load_locality(name); });
}

TEST(PlanPresets, WhatOnePresetNamesExists) {
  for (const std::string& name : list_presets("machines", {})) {
    const Result<MachinePreset> machine = load_machine(name);
    ASSERT_TRUE(machine);
    EXPECT_TRUE(machine->machine.drive.empty() || load_drive(machine->machine.drive)) << name;
    EXPECT_TRUE(load_runtime(machine->resident_runtime)) << name;
    const Result<plan::Runtime> streaming = load_runtime(machine->streaming_runtime);
    EXPECT_TRUE(streaming && streaming->streams) << name;
  }
  for (const std::string& name : kModels) {
    EXPECT_TRUE(load_locality(load_model_shape(name)->locality)) << name;
  }
}

TEST(PlanPresets, SayHowOftenALayerOfAnArchitectureSeesTheWholeContext) {
  EXPECT_EQ(full_attention_every("gpt-oss"), 2U);
  EXPECT_EQ(full_attention_every("gemma4"), 6U);
  EXPECT_EQ(full_attention_every("qwen35moe"), 1U) << "its other layers have no window";
  EXPECT_EQ(full_attention_every("unheard-of"), 1U);
  EXPECT_EQ(full_attention_every(""), 1U);
}

TEST(PlanPresets, MemoryIsWhatIsSoldUnderItsName) {
  EXPECT_EQ(parse_memory("36GB").value(), 36ULL << 30);
  EXPECT_EQ(parse_memory("36GiB").value(), 36ULL << 30);
  EXPECT_EQ(parse_memory("36 GB").value(), 36ULL << 30);
  EXPECT_EQ(parse_memory("1.5TB").value(), 1536ULL << 30);
  for (const char* text : {"36gb", "36G", "36 gib", "36g"}) {
    EXPECT_EQ(parse_memory(text).value(), 36ULL << 30) << text;
  }
  const Result<uint64_t> bare = parse_memory("64");
  ASSERT_FALSE(bare);
  EXPECT_NE(bare.error().message.find("64GB was probably meant"), std::string::npos) << bare.error().message;
  for (const char* text : {"", "1000", "36B", "4KB", "0GB", "GB", "-1GB", "36GB/s", "9999999999TB"}) {
    EXPECT_FALSE(parse_memory(text)) << text;
  }
}

class OwnPreset : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::temp_directory_path() / fmt::format("spillway-plan-{}", ::getpid());
    fs::create_directories(directory_ / "drives");
    fs::create_directories(directory_ / "machines");
    fs::create_directories(directory_ / "locality");
  }
  void TearDown() override { fs::remove_all(directory_); }

  void write(const std::string& path, const std::string& text) { std::ofstream(directory_ / path) << text; }
  std::string drive_error(const std::string& text) {
    write("drives/mine.json", text);
    const Result<plan::Drive> drive = load_drive("mine", directory_.string());
    return drive ? "" : drive.error().message;
  }

  fs::path directory_;
};

TEST_F(OwnPreset, IsFoundBesideThoseThatShip) {
  EXPECT_EQ(
      drive_error(R"({"schema": "spillway.drive/1", "name": "mine", "bandwidth": "2GB/s", "latency": "100us",
                            "price_usd": 5})"),
      "");
  EXPECT_TRUE(load_drive("nvme-gen4", directory_.string()));
}

TEST_F(OwnPreset, IsRefusedWithItsNameAndTheKey) {
  EXPECT_NE(drive_error("[]").find("drives/mine.json: not a JSON object"), std::string::npos);
  EXPECT_NE(drive_error("{").find("drives/mine.json: "), std::string::npos);
  EXPECT_NE(
      drive_error(R"({"schema": "spillway.drive/1", "name": "mine", "bandwidth": "fast", "latency": "1us",
                            "price_usd": 5})")
          .find("'bandwidth' must be a rate"),
      std::string::npos);
  EXPECT_NE(drive_error(R"({"schema": "spillway.drive/1", "name": "mine", "bandwidth": "1GB/s", "latency": 3,
                            "price_usd": 5})")
                .find("'latency'"),
            std::string::npos);
  EXPECT_NE(
      drive_error(R"({"schema": "spillway.drive/1", "name": "mine", "bandwidth": "1GB/s", "latency": "1us",
                            "price_usd": -5})")
          .find("'price_usd'"),
      std::string::npos);
}

TEST_F(OwnPreset, AProfileMustAscend) {
  write("locality/mine.json", R"({"schema": "spillway.locality/1", "name": "mine", "miss_spread": [1, 1, 1],
                                  "points": [[0.5, 0.5], [0.4, 0.6]]})");
  const Result<plan::LocalityProfile> profile = load_locality("mine", directory_.string());
  ASSERT_FALSE(profile);
  EXPECT_NE(profile.error().message.find("ascend"), std::string::npos);
}

TEST_F(OwnPreset, ARangeMustAscend) {
  std::ifstream shipped(fs::path(SPILLWAY_SOURCE_DIR) / "share/presets/machines/desktop-ddr5.json");
  std::string text((std::istreambuf_iterator<char>(shipped)), {});
  const size_t at = text.find("[0.6, 0.75, 0.9]");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 16, "[0.9, 0.75, 0.6]");
  write("machines/mine.json", text);
  const Result<MachinePreset> machine = load_machine("mine", directory_.string());
  ASSERT_FALSE(machine);
  EXPECT_NE(machine.error().message.find("'memory_share'"), std::string::npos);
}

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

TEST_F(OwnFile, ThatIsWrongIsListedWithWhatIsWrong) {
  fs::create_directories(folder_ / "drives");
  Json preset = one_of_each()["drive"];
  write("drives/good.json", preset);
  preset["prcie_usd"] = 3;
  write("drives/bad.json", preset);
  write("drives/empty.json", Json());
  EXPECT_EQ(describe_preset("drives", "good", folder_.path()).find("not usable"), std::string::npos);
  const std::string bad = describe_preset("drives", "bad", folder_.path());
  EXPECT_TRUE(bad.starts_with("not usable: " + (folder_ / "drives/bad.json"))) << bad;
  EXPECT_NE(bad.find("did you mean 'price_usd'?"), std::string::npos) << bad;
  EXPECT_TRUE(describe_preset("drives", "empty", folder_.path()).starts_with("not usable: "));
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
