#include <gtest/gtest.h>

#include <algorithm>

#include "core/json.h"
#include "tests/model/gguf_builder.h"
#include "tests/support/references.h"

namespace spillway::test {
namespace {

// A packed model whose experts all have one size, and a synthetic trace of its shape.
class PackCli : public testing::Test {
 protected:
  void SetUp() override {
    const Ran packed = pack({});
    ASSERT_EQ(packed.status, 0) << packed.err;
    geometry_ = Json::parse(packed.out)["geometry"];
    const Ran made = spillway({"trace",
                               "synth",
                               "--layers",
                               geometry_["layers"].dump(),
                               "--experts",
                               geometry_["experts_per_layer"].dump(),
                               "--top-k",
                               geometry_["top_k"].dump(),
                               "--expert-bytes",
                               geometry_["expert_bytes"][0].dump(),
                               "--tokens",
                               "60",
                               "--prefill",
                               "9",
                               "--skew",
                               "0.8",
                               "--reuse",
                               "0.4",
                               "-o",
                               trace_});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  Ran pack(std::vector<std::string> more) {
    std::vector<std::string> arguments = {"pack", "--model", model_, "-o", store_, "--json", "-"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return spillway(arguments);
  }

  Ran replay(const std::string& backend, const std::string& verify) {
    return spillway({"replay", trace_, "--store", store_, "--cache", "1MiB", "--no-probe", "--backend",
                     backend, "--verify", verify});
  }

  TemporaryDirectory scratch_;
  std::string model_ = unpack_model("small-qwen3moe-f32", scratch_.path());
  std::string store_ = scratch_ / "model.store";
  std::string trace_ = scratch_ / "trace.bin";
  Json geometry_;
};

TEST_F(PackCli, SaysWhatItMade) {
  const Ran ran = pack({"--force"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json json = Json::parse(ran.out);
  EXPECT_EQ(json["schema"], "spillway.pack/1");
  EXPECT_EQ(json["layout"], "id");
  EXPECT_EQ(json["store_bytes"], std::filesystem::file_size(store_));
  EXPECT_EQ(json["model"]["files"][0]["name"], "small-qwen3moe-f32.gguf");
  EXPECT_EQ(json["model"]["files"][0]["bytes"], std::filesystem::file_size(model_));
  EXPECT_EQ(json["model"]["fingerprint"].get<std::string>().size(), 16U);
  EXPECT_NE(ran.err.find(store_), std::string::npos);
  EXPECT_EQ(ran.err.find('\033'), std::string::npos) << "a progress bar without a terminal";
}

class PackCliOfEachBackend : public PackCli, public testing::WithParamInterface<const char*> {};

TEST_P(PackCliOfEachBackend, ReplayReadsEveryLayoutAndVerifiesIt) {
  for (const bool by_coactivation : {false, true}) {
    if (by_coactivation) {
      const Ran packed = pack({"--force", "--layout", "coactivation", "--trace", trace_});
      ASSERT_EQ(packed.status, 0) << packed.err;
      const Json runs = Json::parse(packed.out)["runs_per_decode_step"];
      EXPECT_LT(runs["coactivation"], runs["id"]);
    }
    for (const std::string verify : {"all", "sample"}) {
      SCOPED_TRACE(verify);
      const Ran ran = replay(GetParam(), verify);
      SKIP_WHERE_UNAVAILABLE(ran);
      EXPECT_EQ(ran.status, 0) << ran.err;
      EXPECT_NE(ran.out.find(verify == "all" ? "every byte" : "a few words of each expert"),
                std::string::npos)
          << ran.out;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(every, PackCliOfEachBackend, testing::Values("pread", "mmap", "uring"),
                         [](const auto& instance) { return spelled_as_a_name(instance.param); });

TEST_F(PackCli, ReplayNamesTheExpertAndTheFileWhereAByteWasFlipped) {
  std::fstream file(store_, std::ios::in | std::ios::out | std::ios::binary);
  // Flips the same byte in every expert of the first layer, so that the first one read is damaged.
  const auto slot = int64_t((geometry_["expert_bytes"][0].get<uint64_t>() + 4095) / 4096 * 4096);
  for (int64_t expert = 0; expert < geometry_["experts_per_layer"].get<int64_t>(); ++expert) {
    const int64_t at = (int64_t(2) << 20) + expert * slot + 12'345;
    file.seekg(at);
    const char byte = char(file.get() ^ 0x20);
    file.seekp(at).put(byte);
  }
  file.close();
  expect_one_line(replay("pread", "all"), 1, {store_, "L0/E", "not what was stored"});
  EXPECT_EQ(replay("pread", "off").status, 0);
}

TEST_F(PackCli, RefusesWhatMakesNoSense) {
  expect_one_line(pack({}), 1, {store_, "exists already", "--force"});
  expect_one_line(pack({"--force", "--layout", "coactivation"}), 2, {"--trace"});
  expect_one_line(pack({"--force", "--trace", trace_}), 2, {"--layout coactivation"});
  expect_one_line(pack({"--force", "--layout", "random"}), 2, {"random", "coactivation"});
  expect_one_line(spillway({"pack", "--model", trace_, "-o", scratch_ / "x"}), 1, {trace_, "GGUF"});
  expect_one_line(spillway({"pack", "--model", scratch_ / "no.gguf", "-o", scratch_ / "x"}), 1, {"no.gguf"});
  expect_one_line(spillway({"pack", "--model", model_, "-o", model_, "--force"}), 2, {"-o", model_});
  expect_one_line(spillway({"pack", "--model", model_, "-o", scratch_ / "x", "--json", scratch_ / "x"}), 2,
                  {"--json"});
  expect_one_line(spillway({"pack", "--model", model_, "-o", "/no/such/dir/x"}), 1, {"/no/such/dir/x"});
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "x"));
  EXPECT_EQ(replay("pread", "all").status, 0) << "a refusal harmed the store";
}

TEST_F(PackCli, RefusesATraceOfAnotherShapeShowingBoth) {
  const std::string other = scratch_ / "other.bin";
  ASSERT_EQ(spillway({"trace", "synth", "--layers", "5", "--experts", "16", "--top-k", "4", "--expert-bytes",
                      "64KiB", "--tokens", "4", "-o", other})
                .status,
            0);
  expect_one_line(pack({"--force", "--layout", "coactivation", "--trace", other}), 1,
                  {other, "5 layers × 16", model_, "3 × 16"});
}

TEST(PackCliHelp, ShowsAnExample) {
  const Ran ran = spillway({"pack", "--help"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_NE(ran.out.find("spillway pack --model"), std::string::npos) << ran.out;
}

// A model of 805 MB, of which only the head is on disk.
TEST(PackCliInterrupted, LeavesNothingBehindOnCtrlC) {
  constexpr uint64_t kTensor = 64 * (uint64_t(4) << 20);
  GgufBuilder builder;
  builder.text("general.architecture", "qwen3moe");
  builder.number("qwen3moe.block_count", uint32_t(1));
  builder.number("qwen3moe.expert_count", uint32_t(64));
  builder.number("qwen3moe.expert_used_count", uint32_t(2));
  uint64_t offset = 0;
  for (const char* part : {"gate", "up", "down"}) {
    builder.entry(std::string("blk.0.ffn_") + part + "_exps.weight", {1024, 1024, 64}, 0, offset);
    offset += kTensor;
  }
  const TemporaryDirectory scratch;
  const std::string model = scratch / "model.gguf";
  std::ofstream(model, std::ios::binary) << builder.head();
  std::filesystem::resize_file(model, builder.data_begin() + offset);

  const std::string stores = scratch / "stores";
  std::filesystem::create_directory(stores);
  Program program({SPILLWAY_BINARY, "pack", "--model", model, "-o", stores + "/model.store"});
  const Ran ran = interrupt_once_it_writes(program, stores);
  if (ran.err.find("no room") != std::string::npos) {
    GTEST_SKIP() << ran.err;
  }
  EXPECT_EQ(ran.status, 1) << ran.err;
  EXPECT_TRUE(ran.err.starts_with("spillway: makes a store of 807 MB: " + stores)) << ran.err;
  EXPECT_NE(ran.err.find("was stopped; nothing of it is left\n"), std::string::npos) << ran.err;
  EXPECT_TRUE(std::filesystem::is_empty(stores));
}

}  // namespace
}  // namespace spillway::test
