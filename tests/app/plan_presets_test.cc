#include "app/presets/plan_presets.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "app/presets/presets.h"

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
  EXPECT_EQ(parse_memory("1000").value(), 1000U);
  for (const char* text : {"", "0GB", "GB", "-1GB", "36GB/s", "9999999999TB"}) {
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

}  // namespace
}  // namespace spillway
