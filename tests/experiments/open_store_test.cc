#include "experiments/open_store.h"

#include <gtest/gtest.h>

#include "backends/scratch_store.h"
#include "tests/model/gguf_builder.h"

namespace spillway {
namespace {

using test::ModelDirectory;
using test::split_part;
using test::tiny_moe;

ModelGeometry shape(std::vector<uint64_t> expert_bytes, uint32_t experts) {
  return {.layers = uint32_t(expert_bytes.size()),
          .experts_per_layer = experts,
          .top_k = 1,
          .used_top_k = 1,
          .expert_bytes = std::move(expert_bytes)};
}

class OpenStore : public ::testing::Test {
 protected:
  std::string refusal(const std::vector<std::string>& paths, const ModelGeometry& geometry) {
    const auto store = open_expert_store(paths, geometry);
    return store ? "opened" : store.error().message;
  }

  ModelDirectory directory_;
};

bool mentions(const std::string& message, std::string_view part) {
  return message.find(part) != std::string::npos;
}

TEST_F(OpenStore, FindsTheRangesOfExpertsInAModelFile) {
  const std::string path = directory_.write(tiny_moe().bytes());
  const auto store = open_expert_store({path}, shape({392, 172}, 4));
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_FALSE((*store)->can_check());
  const uint64_t data = tiny_moe().data_begin();
  std::vector<ByteRange> ranges;
  (*store)->ranges(ExpertId{3}, ranges);
  ASSERT_EQ(ranges.size(), 3U);
  EXPECT_EQ(ranges[0].offset, data + 64 + 3 * 68);
  EXPECT_EQ(ranges[1].offset, data + 64 + 320 + 1024 + 3 * 68);
  EXPECT_EQ(ranges[2].offset, data + 64 + 320 + 3 * 256);
  EXPECT_EQ(ranges[2].bytes, 256U);
  ranges.clear();
  (*store)->ranges(ExpertId{4}, ranges);
  EXPECT_EQ(ranges.size(), 2U);
}

TEST_F(OpenStore, FindsExpertsInASplitModel) {
  const std::string first =
      directory_.write(split_part(0, "blk.0.ffn_gate_exps.weight"), "m-00001-of-00003.gguf");
  directory_.write(split_part(1, "blk.0.ffn_up_exps.weight"), "m-00002-of-00003.gguf");
  directory_.write(split_part(2, "blk.0.ffn_down_exps.weight"), "m-00003-of-00003.gguf");
  const auto store = open_expert_store({first}, shape({102}, 2));
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ((*store)->files().size(), 3U);
  std::vector<ByteRange> ranges;
  (*store)->ranges(ExpertId{1}, ranges);
  ASSERT_EQ(ranges.size(), 3U);
  EXPECT_EQ(ranges[2].file, 2U);
  EXPECT_TRUE(mentions(refusal({first, first}, shape({102}, 2)), "name the first file of a split one alone"));
}

TEST_F(OpenStore, ShowsBothShapesWhenTheyDiffer) {
  const std::string path = directory_.write(tiny_moe().bytes());
  const std::string count = refusal({path}, shape({392, 172}, 8));
  EXPECT_TRUE(mentions(count, "2 layers × 4 experts") && mentions(count, "2 layers × 8 experts")) << count;
  const std::string size = refusal({path}, shape({392, 173}, 4));
  EXPECT_TRUE(mentions(size, "172 bytes in layer 1, but the trace wants 173")) << size;
}

TEST_F(OpenStore, OpensAPackedStoreAsWell) {
  const ModelGeometry geometry = shape({8192, 8192}, 3);
  ScratchOptions options;
  options.directories = {directory_.file("")};
  const auto paths = make_scratch_store(geometry, options, [](uint64_t, uint64_t) { return true; });
  ASSERT_TRUE(paths) << paths.error().message;
  const auto store = open_expert_store(*paths, geometry);
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_TRUE((*store)->can_check());
}

TEST_F(OpenStore, SaysWhatIsWrongWithAFileThatIsNeither) {
  const ModelGeometry geometry = shape({392, 172}, 4);
  EXPECT_TRUE(
      mentions(refusal({directory_.write("neither", "text")}, geometry), "neither as a packed store"));
  EXPECT_TRUE(mentions(refusal({directory_.file("none")}, geometry), "none"));
  EXPECT_TRUE(mentions(refusal({}, geometry), "--store names no file"));
  EXPECT_TRUE(mentions(refusal({directory_.write("GGUF")}, geometry), "model.gguf: offset 4"));
}

}  // namespace
}  // namespace spillway
