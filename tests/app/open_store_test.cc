#include "app/run/open_store.h"

#include <gtest/gtest.h>

#include "app/pack/coactivation.h"
#include "stores/pack_store.h"
#include "stores/scratch_store.h"
#include "tests/model/gguf_builder.h"
#include "tests/support/mentions.h"

namespace spillway {
namespace {

using test::mentions;

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
  EXPECT_TRUE(
      mentions(refusal({first, first}, shape({102}, 2)), "of a split GGUF, name only the first file"));
}

TEST_F(OpenStore, ShowsBothShapesWhenTheyDiffer) {
  const std::string path = directory_.write(tiny_moe().bytes());
  const std::string count = refusal({path}, shape({392, 172}, 8));
  EXPECT_TRUE(mentions(count, "2 layers × 4 experts") && mentions(count, "2 layers × 8 experts")) << count;
  const std::string size = refusal({path}, shape({392, 173}, 4));
  EXPECT_TRUE(mentions(size, "172 bytes in layer 1, but the trace needs 173")) << size;
}

TEST_F(OpenStore, OpensAPackedStoreAsWell) {
  const ModelGeometry geometry = shape({8192, 8192}, 3);
  ScratchOptions options;
  options.directories = {directory_ / ""};
  const auto paths = make_scratch_store(geometry, options, [](uint64_t, uint64_t) { return true; });
  ASSERT_TRUE(paths) << paths.error().message;
  const auto store = open_expert_store(*paths, geometry);
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_TRUE((*store)->can_check());
}

class StoreOrigin : public OpenStore {
 protected:
  std::string packed(const Gguf& gguf, const std::string& name) {
    const Result<GgufExperts> experts = find_gguf_experts(gguf);
    PackPlan plan{.path = directory_ / name,
                  .tables = expert_tables(gguf, *experts),
                  .content = {*gguf_origin(gguf), "id", {}, 0},
                  .slots = slots_by_id(*gguf_geometry(gguf, *experts))};
    for (const std::vector<GgufExpertTensor>& parts : experts->layers) {
      std::vector<PackedPart>& layer = plan.content.parts.emplace_back();
      for (const GgufExpertTensor& part : parts) {
        layer.push_back({"part", part.bytes});
      }
    }
    EXPECT_TRUE(pack_store(plan, [](uint64_t, uint64_t) { return true; }));
    return plan.path;
  }

  std::string verdict(const std::string& store, const Gguf& model) {
    const Result<void> checked = check_store_is_of({store}, model);
    return checked ? "fits" : checked.error().message;
  }
};

TEST_F(StoreOrigin, AStoreOfTheModelIsKnownAsSuchWhereverTheModelLies) {
  const Result<Gguf> model = Gguf::open(directory_.write(tiny_moe().bytes()));
  const Result<Gguf> copy = Gguf::open(directory_.write(tiny_moe().bytes(), "copy.gguf"));
  const std::string store = packed(*model, "model.store");
  EXPECT_EQ(verdict(store, *model), "fits");
  EXPECT_EQ(verdict(store, *copy), "fits");
  EXPECT_EQ(verdict(model->path(), *model), "fits");
  EXPECT_EQ(verdict(model->path(), *copy), "fits");
}

TEST_F(StoreOrigin, AStoreOfAnotherModelIsRefusedNamingBoth) {
  std::string bytes = tiny_moe().bytes();
  const Result<Gguf> model = Gguf::open(directory_.write(bytes));
  const std::string store = packed(*model, "model.store");
  // A file of the same size with the same keys and the same table: only weights differ.
  for (size_t at = tiny_moe().data_begin(); at < bytes.size(); ++at) {
    bytes[at] = char(bytes[at] ^ 1);
  }
  const Result<Gguf> other = Gguf::open(directory_.write(bytes, "other.gguf"));
  const std::string message = verdict(store, *other);
  EXPECT_TRUE(mentions(message, "model.gguf (fingerprint ") && mentions(message, "other.gguf (fingerprint "))
      << message;
  EXPECT_TRUE(mentions(verdict(model->path(), *other), "model.gguf has the experts of model.gguf"));
}

TEST_F(StoreOrigin, AScratchStoreIsOfNoModel) {
  const Result<Gguf> model = Gguf::open(directory_.write(tiny_moe().bytes()));
  ScratchOptions options;
  options.directories = {directory_ / ""};
  const auto paths =
      make_scratch_store(shape({392, 172}, 4), options, [](uint64_t, uint64_t) { return true; });
  EXPECT_TRUE(mentions(verdict(paths->front(), *model), "made up"));
  EXPECT_TRUE(mentions(verdict(directory_ / "none", *model), "none"));
  EXPECT_FALSE(check_store_is_of({}, *model));
}

TEST_F(StoreOrigin, APackedModelHasTheBytesOfItsGgufWithFusedPartsToo) {
  const std::string bytes = tiny_moe().bytes();
  const Result<Gguf> model = Gguf::open(directory_.write(bytes));
  const std::string path = packed(*model, "model.store");
  const auto in_place = open_expert_store({model->path()}, shape({392, 172}, 4));
  const auto store = open_expert_store({path}, shape({392, 172}, 4));
  ASSERT_TRUE(store) << store.error().message;
  for (uint32_t index = 0; index < 8; ++index) {
    std::vector<ByteRange> parts;
    (*in_place)->ranges(ExpertId{index}, parts);
    std::string expected;
    for (const ByteRange& part : parts) {
      expected += bytes.substr(part.offset, part.bytes);
    }
    std::vector<ByteRange> ranges;
    (*store)->ranges(ExpertId{index}, ranges);
    ASSERT_EQ(ranges.size(), 1U);
    std::string found(ranges[0].bytes, '\0');
    std::ifstream file(path, std::ios::binary);
    file.seekg(int64_t(ranges[0].offset)).read(found.data(), int64_t(found.size()));
    EXPECT_EQ(found, expected) << index;
    EXPECT_TRUE((*store)->check(ExpertId{index}, ranges[0], std::as_bytes(std::span(found)),
                                ExpertStore::Check::all));
  }
}

TEST_F(OpenStore, SaysWhatIsWrongWithAFileThatIsNeither) {
  const ModelGeometry geometry = shape({392, 172}, 4);
  EXPECT_TRUE(
      mentions(refusal({directory_.write("neither", "text")}, geometry), "neither as a packed store"));
  EXPECT_TRUE(mentions(refusal({directory_ / "none"}, geometry), "none"));
  EXPECT_TRUE(mentions(refusal({}, geometry), "--store names no file"));
  EXPECT_TRUE(mentions(refusal({directory_.write("GGUF")}, geometry), "model.gguf: offset 4"));
}

}  // namespace
}  // namespace spillway
