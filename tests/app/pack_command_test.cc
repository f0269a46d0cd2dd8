#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "app/cli/cli.h"
#include "app/run/open_store.h"
#include "core/rng.h"
#include "tests/model/gguf_builder.h"
#include "tests/support/references.h"
#include "traces/writer.h"

namespace spillway {
namespace {

namespace fs = std::filesystem;

using test::ModelDirectory;
using test::TemporaryDirectory;

Result<void> pack(std::vector<std::string> words) {
  CommandLine commands("spillway", "", "");
  Invocation invocation;
  add_pack_command(commands.program(), invocation);
  words.insert(words.begin(), "pack");
  const Result<bool> chosen = commands.parse(words);
  return chosen ? invocation.run() : Unexpected(chosen.error());
}

struct Shape {
  Gguf gguf;
  ModelGeometry geometry;
};

Shape shape_of(const std::string& path) {
  Result<Gguf> gguf = Gguf::open(path);
  const Result<GgufExperts> experts = find_gguf_experts(*gguf);
  ModelGeometry geometry = *gguf_geometry(*gguf, *experts);
  return {std::move(*gguf), std::move(geometry)};
}

// A trace whose tokens use scattered experts, some far more often together than others.
void write_trace(const std::string& path, const ModelGeometry& geometry) {
  TraceHeader header;
  header.geometry = geometry;
  const auto writer = TraceWriter::create(path, header, {});
  ASSERT_TRUE(writer) << writer.error().message;
  Rng random(3);
  for (uint32_t pass = 0; pass < 50; ++pass) {
    for (uint32_t layer = 0; layer < geometry.layers; ++layer) {
      Step step;
      step.pass = pass;
      step.layer = layer;
      const auto first = uint32_t(random.below(geometry.experts_per_layer));
      for (uint32_t i = 0; i < geometry.used_top_k; ++i) {
        const uint32_t expert = (first + i * 11) % geometry.experts_per_layer;
        step.choices.push_back(uint16_t(expert));
        step.experts.push_back(geometry.id(layer, expert));
      }
      ASSERT_TRUE((*writer)->append(step));
    }
  }
  ASSERT_TRUE((*writer)->finish());
}

std::string read(const ExpertStore& store, ExpertId id) {
  std::vector<ByteRange> ranges;
  store.ranges(id, ranges);
  std::string bytes;
  for (const ByteRange& range : ranges) {
    std::string part(range.bytes, '\0');
    std::ifstream file(store.files()[range.file], std::ios::binary);
    file.seekg(int64_t(range.offset)).read(part.data(), int64_t(part.size()));
    bytes += part;
  }
  return bytes;
}

// Expects the bytes of the GGUF in every expert. Returns how many experts do not lie in the place
// of their number.
size_t expect_same_experts(const std::string& model, const std::string& path) {
  const Shape shape = shape_of(model);
  const auto in_place = open_expert_store({model}, shape.geometry);
  const auto store = open_expert_store({path}, shape.geometry);
  EXPECT_TRUE(in_place && store);
  size_t moved = 0;
  for (uint32_t index = 0; in_place && store && index < shape.geometry.expert_count(); ++index) {
    std::vector<ByteRange> ranges;
    (*store)->ranges(ExpertId{index}, ranges);
    const std::string bytes = read(**store, ExpertId{index});
    EXPECT_EQ(ranges.size(), 1U);
    EXPECT_EQ(ranges.at(0).offset % 4096, 0U);
    EXPECT_TRUE(bytes == read(**in_place, ExpertId{index})) << shape.geometry.name(ExpertId{index});
    EXPECT_TRUE((*store)->check(ExpertId{index}, ranges.at(0), std::as_bytes(std::span(bytes)),
                                ExpertStore::Check::all));
    const uint64_t slot = round_up(shape.geometry.bytes_of(ExpertId{index}), 4096);
    uint64_t place = uint64_t(2) << 20;
    for (uint32_t layer = 0; layer < shape.geometry.layer_of(ExpertId{index}); ++layer) {
      place += round_up(shape.geometry.expert_bytes[layer], 4096) * shape.geometry.experts_per_layer;
    }
    place += slot * shape.geometry.expert_of(ExpertId{index});
    moved += ranges.at(0).offset != place ? 1 : 0;
  }
  EXPECT_TRUE(check_store_is_of({path}, shape.gguf));
  return moved;
}

TEST(PackCommand, BothLayoutsHoldEveryExpertOfTheModelsThatShip) {
  const ModelDirectory directory;
  const TemporaryDirectory scratch;
  const std::vector<std::string> names = test::reference_models();
  EXPECT_GE(names.size(), 7U);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const std::string model = test::unpack_model(name, scratch.path());
    const std::string trace = directory / "trace.bin";
    fs::remove(trace);
    write_trace(trace, shape_of(model).geometry);
    const std::string store = directory / "model.store";
    Result<void> made = pack({"--model", model, "-o", store, "--force"});
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(expect_same_experts(model, store), 0U);
    made = pack({"--model", model, "-o", store, "--force", "--layout", "coactivation", "--trace", trace});
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_GT(expect_same_experts(model, store), 0U) << "no expert was moved";
  }
}

// Part `number` of a split model of one layer of two experts, with one tensor.
std::string model_part(uint16_t number, std::string_view tensor) {
  test::GgufBuilder builder;
  builder.text("general.architecture", "qwen3moe");
  builder.number("qwen3moe.block_count", uint32_t(1));
  builder.number("qwen3moe.expert_count", uint32_t(2));
  builder.number("qwen3moe.expert_used_count", uint32_t(1));
  builder.number("split.no", number).number("split.count", uint16_t(3));
  builder.tensor(tensor, {32, uint64_t(number) + 1, 2}, TensorType::q8_0);
  return builder.bytes();
}

TEST(PackCommand, PacksASplitModelAndNamesAllItsFiles) {
  const ModelDirectory directory;
  const std::string model =
      directory.write(model_part(0, "blk.0.ffn_gate_exps.weight"), "m-00001-of-00003.gguf");
  directory.write(model_part(1, "blk.0.ffn_up_exps.weight"), "m-00002-of-00003.gguf");
  directory.write(model_part(2, "blk.0.ffn_down_exps.weight"), "m-00003-of-00003.gguf");
  const std::string store = directory / "m.store";
  const Result<void> made = pack({"--model", model, "-o", store});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(expect_same_experts(model, store), 0U);
  const auto origin = packed_origin(store);
  ASSERT_TRUE(origin && *origin);
  ASSERT_EQ((*origin)->files.size(), 3U);
  EXPECT_EQ((*origin)->files[2].name, "m-00003-of-00003.gguf");
}

TEST(PackCommand, TwoRunsMakeTheSameBytes) {
  const ModelDirectory directory;
  const std::string model = directory.write(test::tiny_moe().bytes());
  ASSERT_TRUE(pack({"--model", model, "-o", directory / "a"}));
  ASSERT_TRUE(pack({"--model", model, "-o", directory / "b"}));
  const std::string bytes = test::read_file(directory / "a");
  EXPECT_GT(bytes.size(), size_t(2) << 20);
  EXPECT_TRUE(bytes == test::read_file(directory / "b"));
}

}  // namespace
}  // namespace spillway
