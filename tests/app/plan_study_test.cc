#include <gtest/gtest.h>

#include <filesystem>

#include "app/plan/report.h"
#include "app/plan/sources.h"
#include "app/run/device_profile.h"
#include "core/json.h"
#include "tests/model/gguf_builder.h"
#include "tests/support/program.h"

namespace spillway {
namespace {

PlanRequest request_for(const std::string& model) {
  PlanRequest request;
  request.model = model;
  return request;
}

PlanStudy study_of(const PlanRequest& request) {
  Result<PlanStudy> study = make_study(request);
  EXPECT_TRUE(study) << study.error().message;
  return study.value_or(PlanStudy{});
}

std::string error_of(const PlanRequest& request) {
  const Result<PlanStudy> study = make_study(request);
  EXPECT_FALSE(study);
  return study ? "" : study.error().message;
}

// The command line of the issue that asked for the planner.
TEST(PlanStudy, AnswersWhatWasAskedOfA36GBMac) {
  PlanRequest request = request_for("qwen3.5-122b-a10b");
  request.bits = "2";
  request.ram = "36GB";
  request.device = "apple-m4-max";
  const PlanStudy study = study_of(request);
  ASSERT_TRUE(study.plan.speed);
  EXPECT_TRUE(study.plan.streams);
  EXPECT_EQ(study.plan.memory.total, 36ULL << 30);
  EXPECT_EQ(study.question.drive.name, "apple-m4");
  EXPECT_GT(study.plan.speed->low, 1);
  EXPECT_LT(study.plan.speed->high, study.plan.speed->central * 2);
  const std::string table = plan_table(study);
  for (const char* said :
       {"fits", "tok/s", "more memory than", "resident weights", "drives", "bits of the experts"}) {
    EXPECT_NE(table.find(said), std::string::npos) << said;
  }
  EXPECT_NE(plan_explanation(study).find("÷"), std::string::npos);
}

TEST(PlanStudy, SaysHowMuchIsMissing) {
  PlanRequest request = request_for("qwen3.5-397b-a17b");
  request.ram = "8GB";
  const PlanStudy study = study_of(request);
  EXPECT_FALSE(study.plan.speed);
  EXPECT_NE(plan_table(study).find("does not fit: the model needs"), std::string::npos);
  EXPECT_TRUE(plan_json(study)["plan"]["speed"].is_null());
}

TEST(PlanStudy, TakesTheLeastMemoryThatFitsWhenNoneIsGiven) {
  const PlanStudy study = study_of(request_for("qwen3.5-397b-a17b"));
  EXPECT_TRUE(study.plan.memory.fits());
  EXPECT_EQ(study.plan.memory.total, 16ULL << 30);  // 5.5 GB of weights; a desktop with 16 GB is the least
}

TEST(PlanStudy, ADeviceIsAMachineADriveOrARate) {
  PlanRequest request = request_for("gpt-oss-20b");
  request.device = "nvme-gen5";
  EXPECT_EQ(study_of(request).question.drive.name, "nvme-gen5");
  request.device = "2.5GB/s";
  EXPECT_EQ(study_of(request).question.drive.bandwidth, 2.5e9);
  request.device = "server-epyc-12ch";
  request.drive = "sata";
  request.drives = 4;
  const PlanStudy study = study_of(request);
  EXPECT_EQ(study.question.machine.name, "server-epyc-12ch");
  EXPECT_EQ(study.question.drive.count, 4U);
  request.device = "toaster";
  EXPECT_NE(error_of(request).find("toaster"), std::string::npos);
}

TEST(PlanStudy, ADriveIsWhatCalibrateMeasured) {
  LoadPoint small;
  small.block_bytes = 4096;
  small.depth = 1;
  small.bytes_per_s = 50e6;
  small.latency_ns[2] = 75'000;
  LoadPoint large = small;
  large.block_bytes = 1 << 20;
  large.depth = 8;
  large.bytes_per_s = 3.1e9;
  large.latency_ns[2] = 2'000'000;
  DeviceProfile profile;
  profile.methods = {{"uring", "uring:depth=8", 8, 4096, {small, large}, {}}};
  const test::TemporaryDirectory scratch;
  std::ofstream(scratch / "nvme.json") << to_json(profile).dump();
  PlanRequest request = request_for("qwen3-30b-a3b");
  request.device = scratch / "nvme.json";
  request.target = 5;
  const PlanStudy study = study_of(request);
  EXPECT_EQ(study.question.drive.bandwidth, 3.1e9);
  EXPECT_DOUBLE_EQ(study.question.drive.latency_s, 75e-6);
  ASSERT_TRUE(study.purchases.front().likely);
  EXPECT_EQ(study.purchases.front().likely->drive.name, request.device);  // no need to buy it
  std::ofstream(scratch / "nvme.json") << "{}";
  EXPECT_NE(error_of(request).find("nvme.json"), std::string::npos);
}

TEST(PlanStudy, ATargetIsReachedByWhatItOffers) {
  PlanRequest request = request_for("qwen3-30b-a3b");
  request.device = "desktop-ddr5";
  request.target = 10;
  const PlanStudy study = study_of(request);
  ASSERT_FALSE(study.purchases.empty());
  const PlanPurchase& first = study.purchases.front();
  EXPECT_EQ(first.machine, "desktop-ddr5");
  ASSERT_TRUE(first.likely);
  EXPECT_GE(first.likely->plan.speed->central, 10);
  EXPECT_LE(first.likely->price, first.fastest->price);
  if (first.surely) {
    EXPECT_GE(first.surely->plan.speed->low, 10);
    EXPECT_GE(first.surely->price, first.likely->price);
  }
  request.target = 100'000;
  EXPECT_NE(plan_table(study_of(request)).find("does not reach"), std::string::npos);
}

TEST(PlanStudy, NamesWhatItCannotUse) {
  EXPECT_NE(error_of({}).find("--model"), std::string::npos);
  EXPECT_NE(error_of(request_for("no-such-model")).find("qwen3-30b-a3b"), std::string::npos);
  PlanRequest request = request_for("qwen3-30b-a3b");
  request.bits = "1";
  EXPECT_NE(error_of(request).find("bits"), std::string::npos);
  request = request_for("qwen3-30b-a3b");
  request.experts_per_token = 129;
  EXPECT_NE(error_of(request).find("128 experts"), std::string::npos);
  request = request_for("qwen3-30b-a3b");
  request.ram = "lots";
  EXPECT_NE(error_of(request).find("lots"), std::string::npos);
  request = request_for("");
  request.gguf = "/no/such.gguf";
  EXPECT_NE(error_of(request).find("/no/such.gguf"), std::string::npos);
}

TEST(PlanStudy, AModelFilesBytesAreItsTensors) {
  const std::string path = std::string(SPILLWAY_SOURCE_DIR) + "/bundled/tiny-moe-q4_0.gguf";
  const Result<plan::ModelBytes> model = read_model_bytes(path);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->moe_layers, 12U);
  EXPECT_EQ(model->experts_per_layer, 128U);
  EXPECT_EQ(model->expert, 6912U);
  // The whole file except its head.
  const auto file = std::filesystem::file_size(path);
  EXPECT_LT(model->on_disk(), file);
  EXPECT_GT(double(model->on_disk()), 0.9 * double(file));
  EXPECT_GT(model->full_kv_per_token, 0U);
  PlanRequest request;
  request.gguf = path;
  EXPECT_TRUE(study_of(request).plan.speed);
  request.bits = "2";
  EXPECT_NE(error_of(request).find("types of its own"), std::string::npos);
}

// Two layers; the key that says which have the window is missing, as in the files of that architecture.
TEST(PlanStudy, AModelFilesWindowIsWhereItsArchitectureHasIt) {
  const auto bytes_of = [](const std::string& architecture) {
    test::GgufBuilder builder;
    const auto key = [&](const char* name) { return architecture + "." + name; };
    builder.text("general.architecture", architecture);
    builder.number(key("block_count"), 2U).number(key("expert_count"), 4U);
    builder.number(key("expert_used_count"), 2U).number(key("embedding_length"), 32U);
    builder.number(key("attention.head_count"), 4U).number(key("attention.sliding_window"), 128U);
    for (const char* part : {"gate", "up", "down"}) {
      for (const int block : {0, 1}) {
        builder.tensor(fmt::format("blk.{}.ffn_{}_exps.weight", block, part), {32, 32, 4}, TensorType::q8_0);
      }
    }
    const test::ModelDirectory directory;
    Result<plan::ModelBytes> model = read_model_bytes(directory.write(builder.bytes()));
    EXPECT_TRUE(model) << model.error().message;
    return model.value_or(plan::ModelBytes{});
  };
  constexpr uint64_t kLayerBytes = 2 * 32 * 2;  // keys and values of a token, 16 bits each
  const plan::ModelBytes alternating = bytes_of("gpt-oss");
  EXPECT_EQ(alternating.window, 128U);
  EXPECT_EQ(alternating.window_kv_per_token, kLayerBytes);
  EXPECT_EQ(alternating.full_kv_per_token, kLayerBytes);
  const plan::ModelBytes unknown = bytes_of("unheard-of");
  EXPECT_EQ(unknown.window, 0U);
  EXPECT_EQ(unknown.full_kv_per_token, 2 * kLayerBytes);
}

// Three layers: one with experts and no attention, one with two key heads, one with one; experts without a
// gate; and what belongs to a vision tower.
TEST(PlanStudy, AModelFileMayListHeadsByLayerAndCarryForeignTensors) {
  const auto bytes_of = [](bool with_tower) {
    test::GgufBuilder builder;
    builder.text("general.architecture", "nemotron_h_moe");
    const auto key = [](const char* name) { return fmt::format("nemotron_h_moe.{}", name); };
    builder.number(key("block_count"), 3U).number(key("expert_count"), 4U);
    builder.number(key("expert_used_count"), 2U).number(key("embedding_length"), 32U);
    builder.numbers<int32_t>(key("attention.head_count"), {4, 4, 4});
    builder.numbers<int32_t>(key("attention.head_count_kv"), {0, 2, 1});
    builder.numbers<int32_t>(key("feed_forward_length"), {32, 0, 0});
    builder.tensor("blk.0.ffn_up_exps.weight", {32, 32, 4}, TensorType::q8_0);
    builder.tensor("blk.0.ffn_down_exps.weight", {32, 32, 4}, TensorType::q8_0);
    builder.tensor("token_embd.weight", {32, 8}, TensorType::q8_0);
    if (with_tower) {
      builder.tensor("v.blk.0.attn_q.weight", {32, 320}, TensorType::f32);
      builder.tensor("mtp.norm.weight", {32}, TensorType::f32);
    }
    const test::ModelDirectory directory;
    Result<plan::ModelBytes> model = read_model_bytes(directory.write(builder.bytes()));
    EXPECT_TRUE(model) << model.error().message;
    return model.value_or(plan::ModelBytes{});
  };
  const plan::ModelBytes alone = bytes_of(false);
  EXPECT_EQ(alone.full_kv_per_token, (2 + 1) * (8 + 8) * 2U);
  EXPECT_EQ(alone.moe_layers, 1U);
  const plan::ModelBytes bundled = bytes_of(true);
  EXPECT_EQ(bundled.router_and_norms, alone.router_and_norms);
  EXPECT_EQ(bundled.resident_weights, alone.resident_weights);
}

TEST(PlanStudy, ATracesLocalityAndTimesReplaceThePresets) {
  const std::string path = std::string(SPILLWAY_SOURCE_DIR) + "/bundled/tiny-moe.trace.bin";
  const Result<TraceFacts> facts = read_trace_facts(path, eviction_policies().known("lfu"));
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_TRUE(facts->locality.validate());
  EXPECT_GT(facts->locality.hit(0.5), facts->locality.hit(0.1));
  ASSERT_TRUE(facts->compute);
  EXPECT_GT(facts->compute->attention_s, 0);
  EXPECT_GT(facts->compute->experts_s, 0);
  PlanRequest request = request_for("qwen3-30b-a3b");
  request.ram = "16GB";
  request.trace = path;
  request.recorded_compute = true;
  const PlanStudy study = study_of(request);
  EXPECT_EQ(study.plan.speed->time.weights_s, facts->compute->attention_s + facts->compute->experts_s);
  EXPECT_EQ(study.plan.speed->time.experts_s, facts->compute->experts_s);
  EXPECT_NE(study.locality_source.find("tiny-moe.trace.bin"), std::string::npos);
}

TEST(PlanStudy, ItsJsonHoldsTheSweepAndTheAnswer) {
  const PlanStudy study = study_of(request_for("gpt-oss-120b"));
  const Json json = plan_json(study);
  EXPECT_EQ(json["schema"], "spillway.plan/1");
  EXPECT_EQ(json["sweep"]["tok_per_s"].size(),
            json["sweep"]["memory_bytes"].size() * json["sweep"]["drive_bandwidth_bytes_per_s"].size());
  const Json& speed = json["plan"]["speed"];
  EXPECT_LE(speed["tok_per_s_low"], speed["tok_per_s"]);
  EXPECT_LE(speed["tok_per_s"], speed["tok_per_s_high"]);
  EXPECT_EQ(plan_json(study).dump(), plan_json(study_of(request_for("gpt-oss-120b"))).dump());
}

}  // namespace
}  // namespace spillway
