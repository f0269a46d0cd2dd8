#include "backends/gguf_layout.h"

#include <fcntl.h>

#include <cstring>

#include "backends/ggml_types.h"
#include "backends/store.h"
#include "core/units.h"
#include "tests/backends/fixture.h"

namespace spillway {
namespace {

using testing::TestDirectory;

// Writes GGUF files by hand, field by field.
class GgufText {
 public:
  template <class T>
  GgufText& number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  GgufText& text(std::string_view value) {
    number(uint64_t(value.size()));
    bytes_.append(value);
    return *this;
  }
  GgufText& key(std::string_view name, uint32_t type) { return text(name).number(type); }
  GgufText& pad(size_t alignment) {
    bytes_.resize(round_up(bytes_.size(), alignment), '\0');
    return *this;
  }
  GgufText& begin(uint64_t tensors, uint64_t pairs, uint32_t version = 3) {
    bytes_ += "GGUF";
    return number(version).number(tensors).number(pairs);
  }
  GgufText& tensor(std::string_view name, std::vector<uint64_t> sizes, uint32_t type, uint64_t offset) {
    text(name).number(uint32_t(sizes.size()));
    for (const uint64_t size : sizes) {
      number(size);
    }
    return number(type).number(offset);
  }
  GgufText& data(size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) {
      bytes_ += char('a' + i % 26);
    }
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

constexpr uint32_t kF32 = 0;
constexpr uint32_t kQ80 = 8;

// One layer of 4 experts: gate and up of 2 rows of 32 values in Q8_0 (68 bytes each), down in F32.
std::string tiny_model() {
  GgufText text;
  text.begin(4, 5);
  text.key("general.architecture", 8).text("qwen3moe");
  text.key("tokens", 9).number(uint32_t(8)).number(uint64_t(2)).text("a").text("bc");
  text.key("scores", 9).number(uint32_t(6)).number(uint64_t(3)).number(1.0F).number(2.0F).number(3.0F);
  text.key("flag", 7).number(uint8_t(1));
  text.key("general.alignment", 4).number(uint32_t(64));
  text.tensor("norm", {3}, kF32, 0);
  text.tensor("blk.0.ffn_gate_exps.weight", {32, 2, 4}, kQ80, 64);
  text.tensor("blk.0.ffn_up_exps.weight", {32, 2, 4}, kQ80, 64 + 320);
  text.tensor("blk.0.ffn_down_exps.weight", {2, 32, 4}, kF32, 64 + 320 + 320);
  text.pad(64).data(64 + 320 + 320 + 1024);
  return text.bytes();
}

ModelGeometry tiny_geometry() {
  return testing::geometry(1, 4, 68 + 68 + 256);
}

class GgufLayoutTest : public ::testing::Test {
 protected:
  std::string write(const std::string& bytes, const std::string& name = "model.gguf") {
    testing::write_file(directory_.file(name), bytes);
    return directory_.file(name);
  }
  std::string refusal(const std::string& bytes) {
    const auto layout = read_gguf_layout(write(bytes));
    EXPECT_FALSE(layout);
    return layout ? "" : layout.error().message;
  }

  TestDirectory directory_{testing::memory_directory()};
};

TEST_F(GgufLayoutTest, finds_the_three_ranges_of_each_expert) {
  const std::string bytes = tiny_model();
  const auto store = open_store({write(bytes)}, tiny_geometry());
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_FALSE((*store)->can_check());
  const uint64_t data = bytes.size() - (64 + 320 + 320 + 1024);
  std::vector<ByteRange> ranges;
  (*store)->ranges(ExpertId{3}, ranges);
  ASSERT_EQ(ranges.size(), 3U);
  EXPECT_EQ(ranges[0].offset, data + 64 + 3 * 68);
  EXPECT_EQ(ranges[1].offset, data + 64 + 320 + 3 * 68);
  EXPECT_EQ(ranges[2].offset, data + 64 + 640 + 3 * 256);
  EXPECT_EQ(ranges[0].bytes, 68U);
  EXPECT_EQ(ranges[2].bytes, 256U);
}

TEST_F(GgufLayoutTest, finds_two_ranges_where_gate_and_up_are_fused) {
  GgufText text;
  text.begin(2, 0, 2);
  text.tensor("blk.0.ffn_gate_up_exps.weight", {32, 4, 2}, kQ80, 0);
  text.tensor("blk.0.ffn_down_exps.weight", {32, 1, 2}, kQ80, 288);
  text.pad(32).data(288 + 68);  // without the padding behind the last tensor
  const auto layout = read_gguf_layout(write(text.bytes()));
  ASSERT_TRUE(layout) << layout.error().message;
  EXPECT_EQ(layout->layers[0].parts().size(), 2U);
  EXPECT_EQ(layout->expert_bytes(), std::vector<uint64_t>{4 * 34 + 34});
}

TEST_F(GgufLayoutTest, counts_a_layer_without_experts_as_empty) {
  GgufText text;
  text.begin(3, 0);
  text.tensor("blk.1.ffn_gate_exps.weight", {32, 1, 2}, kQ80, 0);
  text.tensor("blk.1.ffn_up_exps.weight", {32, 1, 2}, kQ80, 96);
  text.tensor("blk.1.ffn_down_exps.weight", {32, 1, 2}, kQ80, 192);
  text.pad(32).data(288);
  const auto layout = read_gguf_layout(write(text.bytes()));
  ASSERT_TRUE(layout) << layout.error().message;
  EXPECT_EQ(layout->expert_bytes(), (std::vector<uint64_t>{0, 102}));
}

TEST_F(GgufLayoutTest, refuses_a_file_cut_off_at_any_byte) {
  const std::string whole = tiny_model();
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(refusal(whole.substr(0, length)).empty()) << length;
  }
}

TEST_F(GgufLayoutTest, survives_a_flipped_bit_anywhere_and_never_points_outside_of_the_file) {
  const std::string whole = tiny_model();
  const size_t header = whole.size() - (64 + 320 + 320 + 1024);
  for (size_t bit = 0; bit < header * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = char(damaged[bit / 8] ^ (1 << (bit % 8)));
    const auto layout = read_gguf_layout(write(damaged));
    if (!layout) {
      EXPECT_NE(layout.error().message.find("model.gguf"), std::string::npos);
      continue;
    }
    for (const GgufLayer& layer : layout->layers) {
      for (const GgufExpertTensor& part : layer.parts()) {
        EXPECT_LE(part.offset + part.bytes * part.experts, whole.size()) << "bit " << bit;
      }
    }
  }
}

TEST_F(GgufLayoutTest, refuses_lengths_that_overflow) {
  constexpr uint64_t kHuge = std::numeric_limits<uint64_t>::max() - 3;
  EXPECT_NE(refusal(GgufText().begin(kHuge, 0).bytes()).find("no bytes for"), std::string::npos);
  EXPECT_NE(refusal(GgufText().begin(0, kHuge).bytes()).find("no bytes for"), std::string::npos);
  EXPECT_FALSE(refusal(GgufText().begin(0, 1).number(kHuge).data(64).bytes()).empty());
  EXPECT_FALSE(refusal(GgufText().begin(0, 1).key("k", 8).number(kHuge).data(64).bytes()).empty());
  EXPECT_FALSE(refusal(GgufText().begin(0, 1).key("k", 9).number(uint32_t(12)).number(kHuge).data(64).bytes())
                   .empty());
  const auto shaped = [&](std::vector<uint64_t> sizes) {
    return refusal(GgufText()
                       .begin(1, 0)
                       .tensor("blk.0.ffn_up_exps.weight", std::move(sizes), kF32, 0)
                       .pad(32)
                       .data(4096)
                       .bytes());
  };
  EXPECT_NE(shaped({uint64_t(1) << 62, 4, 4}).find("offset"), std::string::npos);
  EXPECT_FALSE(shaped({uint64_t(1) << 32, uint64_t(1) << 32, 1}).empty());
  EXPECT_FALSE(shaped({1, 0, 1}).empty());
  EXPECT_FALSE(shaped({1, 1, 1, 1, 1}).empty());
}

TEST_F(GgufLayoutTest, says_what_it_does_not_read) {
  EXPECT_NE(refusal(GgufText().begin(0, 0, 1).bytes()).find("version 1"), std::string::npos);
  EXPECT_NE(refusal(GgufText().begin(0, 0, 0x03000000).bytes()).find("big-endian"), std::string::npos);
  EXPECT_NE(refusal(GgufText().begin(0, 0).pad(32).bytes()).find("no expert tensors"), std::string::npos);
}

TEST_F(GgufLayoutTest, shows_both_shapes_when_they_differ) {
  const std::string path = write(tiny_model());
  const auto other_count = open_store({path}, testing::geometry(1, 8, 392));
  ASSERT_FALSE(other_count);
  EXPECT_NE(other_count.error().message.find("1 layers × 4 experts"), std::string::npos);
  EXPECT_NE(other_count.error().message.find("1 layers × 8 experts"), std::string::npos);
  const auto other_size = open_store({path}, testing::geometry(1, 4, 400));
  ASSERT_FALSE(other_size);
  EXPECT_NE(other_size.error().message.find("392"), std::string::npos);
  EXPECT_NE(other_size.error().message.find("400"), std::string::npos);
}

std::string split_part(uint16_t number, std::string_view tensor) {
  GgufText text;
  text.begin(1, 2);
  text.key("split.no", 2).number(number).key("split.count", 2).number(uint16_t(3));
  text.tensor(tensor, {32, 1, 2}, kQ80, 0);
  text.pad(32).data(96);
  return text.bytes();
}

TEST_F(GgufLayoutTest, reads_all_files_of_a_split_model) {
  const std::string first = write(split_part(0, "blk.0.ffn_gate_exps.weight"), "m-00001-of-00003.gguf");
  write(split_part(1, "blk.0.ffn_up_exps.weight"), "m-00002-of-00003.gguf");
  const auto incomplete = read_gguf_layout(first);
  ASSERT_FALSE(incomplete);
  EXPECT_NE(incomplete.error().message.find("m-00003-of-00003.gguf"), std::string::npos);

  const std::string last = write(split_part(2, "blk.0.ffn_down_exps.weight"), "m-00003-of-00003.gguf");
  const auto store = open_store({first}, testing::geometry(1, 2, 102));
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ((*store)->files().size(), 3U);
  std::vector<ByteRange> ranges;
  (*store)->ranges(ExpertId{1}, ranges);
  ASSERT_EQ(ranges.size(), 3U);
  EXPECT_EQ(ranges[2].file, 2U);

  EXPECT_FALSE(read_gguf_layout(last));
  write(split_part(0, "blk.0.ffn_up_exps.weight"), "m-00002-of-00003.gguf");
  EXPECT_FALSE(read_gguf_layout(first));
}

// The sample models beside the repository; every expert's bytes must lie inside of its file.
TEST(GgufSamples, have_consistent_expert_tables) {
  size_t seen = 0;
  for (const char* folder : {"/models", "/oracle/models"}) {
    const std::string path = SPILLWAY_SHARED_DIR + std::string(folder);
    if (!std::filesystem::exists(path)) {
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (entry.path().extension() != ".gguf") {
        continue;
      }
      ++seen;
      const auto layout = read_gguf_layout(entry.path());
      ASSERT_TRUE(layout) << layout.error().message;
      const std::vector<uint64_t> bytes = layout->expert_bytes();
      ModelGeometry shape = testing::geometry(uint32_t(bytes.size()), layout->experts_per_layer, 0);
      shape.expert_bytes = bytes;
      EXPECT_TRUE(open_store({entry.path()}, shape));
      for (const GgufLayer& layer : layout->layers) {
        for (const GgufExpertTensor& part : layer.parts()) {
          EXPECT_LE(part.offset + part.bytes * part.experts, entry.file_size());
        }
      }
    }
  }
  if (seen == 0) {
    GTEST_SKIP() << "no sample models beside the repository";
  }
}

TEST(GgmlTypes, have_the_published_block_sizes) {
  // Qwen3-30B-A3B: one expert's matrix of 2048 × 768 values.
  EXPECT_EQ(*ggml_row_bytes(12, 2048) * 768, 884'736U);    // Q4_K
  EXPECT_EQ(*ggml_row_bytes(8, 2048) * 768, 1'671'168U);   // Q8_0
  EXPECT_EQ(*ggml_row_bytes(14, 2048) * 768, 1'290'240U);  // Q6_K
  EXPECT_EQ(*ggml_row_bytes(16, 2048) * 768, 405'504U);    // IQ2_XXS
  EXPECT_FALSE(ggml_row_bytes(12, 100));
  EXPECT_FALSE(ggml_row_bytes(4, 256));
  EXPECT_FALSE(ggml_row_bytes(1000, 256));
}

}  // namespace
}  // namespace spillway
