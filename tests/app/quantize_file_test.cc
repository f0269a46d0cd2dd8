#include "app/pack/quantize_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "core/rng.h"
#include "model/gguf/gguf_head.h"
#include "model/kernels/kernels.h"
#include "tests/model/gguf_builder.h"

namespace spillway {
namespace {

using test::GgufBuilder;
using test::ModelDirectory;
using test::read_file;

// A model of which only the names, shapes and values matter: F32, between -1 and 1.
class SmallModel {
 public:
  // Adds a tensor with different values for each `seed`.
  void add(const std::string& name, const std::vector<uint64_t>& dims, uint64_t seed = 0) {
    builder_.tensor(name, dims, TensorType::f32);
    uint64_t count = 1;
    for (const uint64_t size : dims) {
      count *= size;
    }
    data_.resize((data_.size() + builder_.alignment - 1) / builder_.alignment * builder_.alignment);
    Rng random(data_.size() + seed);
    for (uint64_t i = 0; i < count; ++i) {
      const auto value = static_cast<float>(2 * random.uniform() - 1);
      data_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
  }

  GgufBuilder& keys() { return builder_; }
  std::string& data() { return data_; }

  std::string bytes() const {
    std::string file = builder_.head();
    file.resize(builder_.data_begin());
    return file + data_;
  }

 private:
  GgufBuilder builder_;
  std::string data_;
};

// Three blocks. The middle one's experts have a slice and a half of values, and one row does not
// divide into K blocks.
SmallModel three_blocks() {
  SmallModel model;
  model.keys().text("general.architecture", "qwen3moe").number("general.file_type", uint32_t(0));
  model.keys().number("qwen3moe.block_count", uint32_t(3)).numbers<float>("some.list", {1, 2.5F});
  model.add("token_embd.weight", {512, 6});
  for (const char* block : {"0", "1", "2"}) {
    const std::string name = std::string("blk.") + block;
    model.add(name + ".attn_norm.weight", {512});
    model.add(name + ".attn_q.weight", {512, 96});
    model.add(name + ".ffn_gate_inp.weight", {512, 12});
    model.add(name + ".ffn_up_exps.weight", {512, block == std::string("1") ? 250U : 2U, 12});
    model.add(name + ".ffn_down_exps.weight", {96, 8, 12});
  }
  return model;
}

Result<QuantizedFile> quantize_to(const std::string& from, const std::string& to, unsigned threads = 1) {
  const Result<Gguf> gguf = Gguf::open(from);
  if (!gguf) {
    return Unexpected(gguf.error());
  }
  Result<std::vector<WeightChoice>> choices = choose_types(*gguf, 3, {2, 6});
  if (!choices) {
    return propagate(choices);
  }
  const QuantizePlan plan = {&*gguf, std::move(*choices), to, false, threads};
  return quantize_file(plan, [](uint64_t) { return true; });
}

std::vector<float> tensor_floats(const std::string& file, const GgufTensor& tensor) {
  std::vector<float> values(tensor_values(tensor));
  dequantize(tensor.type, reinterpret_cast<const std::byte*>(file.data()) + tensor.offset, values);
  return values;
}

TEST(QuantizeFile, WritesEveryTensorAtItsPlaceInItsType) {
  const ModelDirectory folder;
  const std::string from = folder.write(three_blocks().bytes());
  const std::string to = folder / "out.gguf";
  const Result<QuantizedFile> made = quantize_to(from, to);
  ASSERT_TRUE(made) << made.error().message;
  const Result<Gguf> before = Gguf::open(from);
  const Result<Gguf> after = Gguf::open(to);
  ASSERT_TRUE(after) << after.error().message;
  ASSERT_EQ(after->tensors().size(), before->tensors().size());
  const std::string bytes_before = read_file(from);
  const std::string bytes_after = read_file(to);
  EXPECT_EQ(made->bytes, bytes_after.size());
  const std::map<TensorType, double> most = {{TensorType::f32, 0},
                                             {TensorType::q8_0, 0.006},
                                             {TensorType::q6_k, 0.03},
                                             {TensorType::q4_0, 0.13},
                                             {TensorType::q2_k, 0.35}};
  for (size_t i = 0; i < after->tensors().size(); ++i) {
    const GgufTensor& was = before->tensors()[i];
    const GgufTensor& is = after->tensors()[i];
    SCOPED_TRACE(is.name);
    ASSERT_EQ(is.name, was.name);
    ASSERT_EQ(is.dims, was.dims);
    ASSERT_TRUE(most.contains(is.type));
    const std::vector<float> a = tensor_floats(bytes_before, was);
    const std::vector<float> b = tensor_floats(bytes_after, is);
    double squares = 0;
    double errors = 0;
    for (size_t j = 0; j < a.size(); ++j) {
      squares += double(a[j]) * a[j];
      errors += (double(a[j]) - b[j]) * (double(a[j]) - b[j]);
    }
    EXPECT_LE(std::sqrt(errors / squares), most.at(is.type));
    EXPECT_NEAR(made->losses[i].errors, errors, 1e-6 * errors);
  }
  const auto type_of = [&](const char* name) { return after->find(name)->type; };
  EXPECT_EQ(type_of("token_embd.weight"), TensorType::q6_k);
  EXPECT_EQ(type_of("blk.1.attn_norm.weight"), TensorType::f32);
  EXPECT_EQ(type_of("blk.1.ffn_gate_inp.weight"), TensorType::f32);
  EXPECT_EQ(type_of("blk.0.ffn_up_exps.weight"), TensorType::q6_k);
  EXPECT_EQ(type_of("blk.1.ffn_up_exps.weight"), TensorType::q2_k);
  EXPECT_EQ(type_of("blk.1.ffn_down_exps.weight"), TensorType::q4_0);
  EXPECT_EQ(type_of("blk.2.ffn_down_exps.weight"), TensorType::q8_0);
}

TEST(QuantizeFile, CarriesKeysOverAndSaysWhatMostWeightsAre) {
  const ModelDirectory folder;
  const std::string from = folder.write(three_blocks().bytes());
  const std::string to = folder / "out.gguf";
  ASSERT_TRUE(quantize_to(from, to));
  const Result<Gguf> after = Gguf::open(to);
  ASSERT_TRUE(after);
  EXPECT_EQ(*after->metadata().integer<uint32_t>("general.file_type"), 10U);  // mostly Q2_K
  EXPECT_EQ(*after->metadata().integer<uint32_t>("general.quantization_version"), 2U);
  EXPECT_EQ(*after->metadata().reals("some.list"), (std::vector<float>{1, 2.5F}));
  const Result<std::vector<GgufPair>> pairs = find_gguf_pairs(to);
  ASSERT_TRUE(pairs);
  std::vector<std::string> keys;
  for (const GgufPair& pair : *pairs) {
    keys.push_back(pair.key);
  }
  EXPECT_EQ(keys,
            (std::vector<std::string>{"general.architecture", "general.file_type", "qwen3moe.block_count",
                                      "some.list", "general.quantization_version"}));
}

TEST(QuantizeFile, GivesTheSameBytesWithAnyNumberOfThreads) {
  const ModelDirectory folder;
  const std::string from = folder.write(three_blocks().bytes());
  const Result<QuantizedFile> one = quantize_to(from, folder / "one", 1);
  const Result<QuantizedFile> three = quantize_to(from, folder / "three", 3);
  ASSERT_TRUE(one && three);
  EXPECT_TRUE(read_file(folder / "one") == read_file(folder / "three"));
  for (size_t i = 0; i < one->losses.size(); ++i) {
    EXPECT_EQ(one->losses[i].errors, three->losses[i].errors);
  }
}

TEST(QuantizeFile, JoinsASplitModel) {
  const ModelDirectory folder;
  const std::vector<std::string> names = {"token_embd.weight", "blk.0.attn_q.weight",
                                          "blk.1.ffn_up_exps.weight"};
  for (uint16_t i = 0; i < 3; ++i) {
    SmallModel part;
    part.keys().alignment = 64;
    part.keys().number("split.no", i).number("split.count", uint16_t(3));
    part.keys().number("split.tensors.count", int32_t(3)).number("general.alignment", uint32_t(64));
    part.add(names[i], {256, 3}, i + 1);
    folder.write(part.bytes(), fmt::format("in-{:05}-of-00003.gguf", i + 1));
    SmallModel alone;
    alone.add(names[i], {256, 3}, i + 1);
    ASSERT_TRUE(quantize_to(folder.write(alone.bytes(), fmt::format("alone-{}.gguf", i)),
                            folder / fmt::format("{}", i)));
  }
  const std::string to = folder / "out.gguf";
  const Result<QuantizedFile> made = quantize_to(folder / "in-00001-of-00003.gguf", to);
  ASSERT_TRUE(made) << made.error().message;
  const Result<Gguf> after = Gguf::open(to);
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(after->files().size(), 1U);
  ASSERT_EQ(after->tensors().size(), 3U);
  EXPECT_FALSE(after->metadata().has("split.count"));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(after->tensors()[i].name, names[i]);
    EXPECT_EQ(after->tensors()[i].offset % 64, 0U);
    const std::string one = folder / fmt::format("{}", i);
    const Result<Gguf> alone = Gguf::open(one);
    ASSERT_TRUE(alone) << alone.error().message;
    const auto bytes_of = [](const std::string& path, const GgufTensor& tensor) {
      return read_file(path).substr(tensor.offset, tensor.bytes);
    };
    EXPECT_TRUE(bytes_of(to, after->tensors()[i]) == bytes_of(one, alone->tensors()[0])) << names[i];
  }
}

TEST(QuantizeFile, NamesTheValueThatNoBlockHolds) {
  const ModelDirectory folder;
  SmallModel model = three_blocks();
  // The last value of the last tensor but one, which is 512 × 2 × 12.
  const float nan = std::nanf("");
  const size_t last = 96 * 8 * 12 * sizeof(float);
  const size_t at = model.data().size() - last - 512 * 2 * 12 * sizeof(float) + 12'287 * sizeof(float);
  std::memcpy(model.data().data() + at, &nan, sizeof nan);
  const std::string to = folder / "out.gguf";
  const Result<QuantizedFile> made = quantize_to(folder.write(model.bytes()), to);
  ASSERT_FALSE(made);
  for (const char* mention : {"blk.2.ffn_up_exps.weight", "value 12287", "nan", "Q6_K"}) {
    EXPECT_NE(made.error().message.find(mention), std::string::npos) << made.error().message;
  }
  EXPECT_FALSE(std::filesystem::exists(to));
}

}  // namespace
}  // namespace spillway
