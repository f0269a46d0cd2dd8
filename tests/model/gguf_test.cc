#include "model/gguf/gguf.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "core/units.h"
#include "model/weights.h"
#include "tests/model/gguf_builder.h"
#include "tests/support/mentions.h"

namespace spillway {
namespace {

using test::mentions;

using test::Fields;
using test::GgufBuilder;
using test::ModelDirectory;
using test::split_part;
using test::tiny_moe;

class GgufFile : public ::testing::Test {
 protected:
  Gguf opened(const std::string& bytes) {
    Result<Gguf> gguf = Gguf::open(directory_.write(bytes));
    if (!gguf) {
      throw std::runtime_error(gguf.error().message);
    }
    return std::move(*gguf);
  }
  // Returns the message of the error, which must name the path.
  std::string refusal(const std::string& bytes) {
    const Result<Gguf> gguf = Gguf::open(directory_.write(bytes));
    if (gguf) {
      return "opened";
    }
    EXPECT_TRUE(mentions(gguf.error().message, "model.gguf")) << gguf.error().message;
    return gguf.error().message;
  }
  std::string refusal_with_offset(const std::string& bytes) {
    const std::string message = refusal(bytes);
    EXPECT_TRUE(mentions(message, "model.gguf: offset ")) << message;
    return message;
  }

  ModelDirectory directory_;
};

using GgufKeys = GgufFile;
using GgufTensors = GgufFile;
using GgufDamage = GgufFile;
using GgufSplit = GgufFile;

template <class T>
std::string error_of(const Result<T>& result) {
  return result ? "no error" : result.error().message;
}

TEST_F(GgufKeys, GiveNumbersOfEveryTypeInAnyTypeTheyFitInto) {
  const Gguf gguf = opened(tiny_moe().bytes());
  const GgufMetadata& keys = gguf.metadata();
  EXPECT_EQ(*keys.integer<uint8_t>("a.u8"), 200);
  EXPECT_EQ(*keys.integer<int64_t>("a.u8"), 200);
  EXPECT_EQ(*keys.integer<int8_t>("a.i8"), -3);
  EXPECT_EQ(*keys.integer<uint32_t>("a.u16"), 60000U);
  EXPECT_EQ(*keys.integer<int32_t>("a.i16"), -30000);
  EXPECT_EQ(*keys.integer<int64_t>("a.i32"), -5);
  EXPECT_EQ(*keys.integer<uint64_t>("a.u64"), UINT64_MAX);
  EXPECT_EQ(*keys.integer<int64_t>("a.i64"), INT64_MIN);
  EXPECT_EQ(*keys.real("a.f64"), 0.1);
  EXPECT_EQ(*keys.real("qwen3moe.rope.freq_base"), 1e6);
  EXPECT_TRUE(*keys.flag("a.flag"));
  EXPECT_EQ(*keys.text("general.architecture"), "qwen3moe");
  EXPECT_EQ(*keys.arch_key("block_count"), "qwen3moe.block_count");
  EXPECT_EQ(keys.values().size(), 19U);
}

TEST_F(GgufKeys, GiveArrays) {
  const Gguf gguf = opened(tiny_moe().bytes());
  const GgufMetadata& keys = gguf.metadata();
  const StringArray& tokens = **keys.texts("tokens");
  ASSERT_EQ(tokens.size(), 3U);
  EXPECT_EQ(tokens[0], "a");
  EXPECT_EQ(tokens[1], "");
  EXPECT_EQ(tokens[2], "bc");
  EXPECT_EQ(*keys.integers<int32_t>("token_type"), (std::vector<int32_t>{1, -3, 6}));
  EXPECT_EQ(*keys.integers<uint8_t>("recurrent"), (std::vector<uint8_t>{1, 0}));
  EXPECT_EQ(*keys.reals("scores"), (std::vector<float>{0.5F, -1.0F}));
}

TEST_F(GgufKeys, FailNamingFileAndKeyWhereTheValueIsAnother) {
  const Gguf gguf = opened(tiny_moe().bytes());
  const GgufMetadata& keys = gguf.metadata();
  const std::vector<std::pair<std::string, std::string>> failures = {
      {error_of(keys.integer<uint32_t>("a.i32")), "key a.i32 is -5; an integer from 0 to 4294967295"},
      {error_of(keys.integer<uint16_t>("a.u64")), "key a.u64 is 18446744073709551615; an integer from 0"},
      {error_of(keys.integer<uint32_t>("a.f64")), "key a.f64 is the floating-point number 0.1; an integer"},
      {error_of(keys.integer<uint32_t>("a.flag")), "key a.flag is true; an integer"},
      {error_of(keys.real("a.u8")), "key a.u8 is 200; a floating-point number"},
      {error_of(keys.flag("a.u8")), "key a.u8 is 200; true or false"},
      {error_of(keys.text("tokens")), "key tokens is an array of 3 texts; a text"},
      {error_of(keys.texts("scores")), "key scores is an array of 2 numbers; an array of texts"},
      {error_of(keys.integers<int32_t>("tokens")), "key tokens is an array of 3 texts; an array of numbers"},
      {error_of(keys.integers<uint32_t>("token_type")), "key token_type: element 1 is -3; an integer from 0"},
      {error_of(keys.integers<uint32_t>("scores")), "key scores: element 0 is the floating-point number 0.5"},
      {error_of(keys.reals("token_type")), "key token_type: element 0 is 1; a floating-point number"},
      {error_of(keys.integer<uint32_t>("b")), "key b is missing"},
      {error_of(keys.texts("b")), "key b is missing"}};
  for (const auto& [message, wanted] : failures) {
    EXPECT_TRUE(mentions(message, wanted)) << message;
    EXPECT_TRUE(mentions(message, "/model.gguf: ")) << message;
  }
}

TEST_F(GgufKeys, MayBeAbsentWhereThereIsAnotherValueButNotWrong) {
  const Gguf gguf = opened(tiny_moe().bytes());
  const GgufMetadata& keys = gguf.metadata();
  EXPECT_EQ(*keys.integer<uint32_t>("b", 7U), 7U);
  EXPECT_EQ(*keys.real("b", 0.5), 0.5);
  EXPECT_FALSE(*keys.flag("b", false));
  EXPECT_EQ(*keys.text("b", "none"), "none");
  EXPECT_FALSE(keys.integer<uint32_t>("a.i32", 7U));
}

TEST_F(GgufKeys, OfLayersAreOneForAllOrOneForEach) {
  GgufBuilder builder;
  builder.number("same", uint32_t(4)).numbers<uint32_t>("each", {4, 0, 2}).numbers<float>("real", {1, 2, 3});
  const Gguf gguf = opened(builder.bytes());
  const GgufMetadata& keys = gguf.metadata();
  EXPECT_EQ(*keys.per_layer<uint32_t>("same", 3), (std::vector<uint32_t>{4, 4, 4}));
  EXPECT_EQ(*keys.per_layer<uint32_t>("each", 3), (std::vector<uint32_t>{4, 0, 2}));
  EXPECT_EQ(*keys.per_layer<uint32_t>("none", 2, 9U), (std::vector<uint32_t>{9, 9}));
  EXPECT_TRUE(mentions(error_of(keys.per_layer<uint32_t>("each", 4)), "key each is an array of 3 numbers"));
  EXPECT_TRUE(mentions(error_of(keys.per_layer<uint32_t>("real", 3)), "key real: element 0"));
  EXPECT_TRUE(mentions(error_of(keys.per_layer<uint32_t>("none", 3)), "key none is missing"));
}

TEST_F(GgufTensors, LieWhereTheTableSaysInVersionTwoAndThree) {
  for (const uint32_t version : {2U, 3U}) {
    GgufBuilder builder = tiny_moe();
    builder.version = version;
    const Gguf gguf = opened(builder.bytes());
    ASSERT_EQ(gguf.tensors().size(), 6U);
    EXPECT_EQ(gguf.tensors()[0].name, "norm");
    const GgufTensor* gate = *gguf.tensor("blk.0.ffn_gate_exps.weight", {32, 2, 4});
    EXPECT_EQ(gate->offset, builder.data_begin() + 64);
    EXPECT_EQ(gate->bytes, 34U * 2 * 4);
    EXPECT_EQ(gate->type, TensorType::q8_0);
    EXPECT_EQ(gate->file, 0U);
    const GgufTensor* down = *gguf.tensor("blk.0.ffn_down_exps.weight", {2, 32, 4});
    EXPECT_EQ(down->offset, builder.data_begin() + 64 + 320);
    EXPECT_EQ(down->bytes, 1024U);
    EXPECT_EQ(gguf.find("norm")->bytes, 12U);
    EXPECT_EQ(gguf.find("nothing"), nullptr);
  }
}

TEST_F(GgufTensors, OfAnotherShapeOrMissingAreNamedWithBothShapes) {
  const Gguf gguf = opened(tiny_moe().bytes());
  EXPECT_TRUE(gguf.tensor("norm", {3, 1}));
  EXPECT_TRUE(mentions(error_of(gguf.tensor("norm", {4})),
                       "tensor norm has the shape 3, but the model's keys call for 4"));
  EXPECT_TRUE(mentions(error_of(gguf.tensor("blk.0.ffn_gate_exps.weight", {32, 2, 5})), "32×2×4"));
  EXPECT_TRUE(mentions(error_of(gguf.tensor("output.weight", {2, 3})), "output.weight (2×3) is missing"));
}

TEST_F(GgufTensors, MayLackThePaddingBehindTheLast) {
  GgufBuilder builder = tiny_moe();
  builder.pad_last = false;
  EXPECT_EQ(opened(builder.bytes()).tensors().size(), 6U);
  EXPECT_TRUE(mentions(refusal_with_offset(builder.bytes().substr(0, builder.bytes().size() - 1)), "need"));
}

TEST_F(GgufTensors, OfAnUnknownTypeAreRefusedByNameAndNumber) {
  GgufBuilder builder;
  builder.entry("blk.0.attn_q.weight", {32}, 4, 0);
  EXPECT_TRUE(mentions(refusal_with_offset(builder.bytes()), "blk.0.attn_q.weight is of type 4"));
}

TEST_F(GgufTensors, MustFollowEachOther) {
  const auto shifted = [&](uint64_t offset) {
    GgufBuilder builder;
    builder.tensor("a", {5}, TensorType::f32).tensor("b", {5}, TensorType::f32, offset);
    return refusal(builder.bytes());
  };
  EXPECT_EQ(shifted(32), "opened");
  EXPECT_TRUE(mentions(shifted(0), "tensor b has the offset 0 within the data, but its place is at 32"));
  EXPECT_TRUE(mentions(shifted(64), "tensor b has the offset 64 "));
  EXPECT_TRUE(mentions(shifted(UINT64_MAX - 31), "tensor b has the offset"));
}

TEST_F(GgufTensors, OfImpossibleShapesAreRefused) {
  const auto shaped = [&](const std::vector<uint64_t>& dims, TensorType type = TensorType::f32) {
    GgufBuilder builder;
    builder.entry("t", dims, uint32_t(type), 0).text("padding", std::string(4096, 'x'));
    return refusal_with_offset(builder.bytes());
  };
  EXPECT_TRUE(mentions(shaped({}), "0 dimensions"));
  EXPECT_TRUE(mentions(shaped({1, 1, 1, 1, 1}), "5 dimensions"));
  EXPECT_TRUE(mentions(shaped({1, 0}), "do not fit"));
  EXPECT_TRUE(mentions(shaped({0}), "not a whole number"));
  EXPECT_TRUE(mentions(shaped({33}, TensorType::q8_0), "not a whole number"));
  EXPECT_TRUE(mentions(shaped({uint64_t(1) << 62, 4, 4}), "t: "));
  EXPECT_TRUE(mentions(shaped({uint64_t(1) << 32, uint64_t(1) << 32}), "do not fit"));
  EXPECT_TRUE(mentions(shaped({4, uint64_t(1) << 32, uint64_t(1) << 30, 4}), "do not fit"));
  EXPECT_TRUE(mentions(shaped({UINT64_MAX}), "overflows"));
  EXPECT_TRUE(mentions(shaped({1, 1, 1, UINT64_MAX}), "do not fit"));
}

TEST_F(GgufDamage, OfNamesIsRefused) {
  GgufBuilder twice;
  twice.number("k", 1U).number("k", 1U);
  EXPECT_TRUE(mentions(refusal_with_offset(twice.bytes()), "key k appears twice"));
  GgufBuilder empty;
  EXPECT_TRUE(mentions(refusal_with_offset(empty.number("", 1U).bytes()), "a key is empty"));
  GgufBuilder same;
  same.tensor("t", {8}, TensorType::f32).tensor("t", {8}, TensorType::f32);
  EXPECT_TRUE(mentions(refusal_with_offset(same.bytes()), "tensor t appears twice"));
  GgufBuilder longest;
  EXPECT_EQ(refusal(longest.tensor(std::string(63, 'n'), {8}, TensorType::f32).bytes()), "opened");
  GgufBuilder longer;
  longer.tensor(std::string(64, 'n'), {8}, TensorType::f32);
  EXPECT_TRUE(mentions(refusal_with_offset(longer.bytes()), "64 bytes; at most 63"));
}

TEST_F(GgufDamage, OfTheAlignmentIsRefused) {
  for (const uint32_t alignment : {0U, 3U, 33U, 1U << 31, UINT32_MAX}) {
    GgufBuilder builder;
    builder.number("general.alignment", alignment).tensor("t", {8}, TensorType::f32);
    EXPECT_TRUE(mentions(refusal_with_offset(builder.bytes()), "not a power of two")) << alignment;
  }
  GgufBuilder text;
  EXPECT_TRUE(mentions(refusal_with_offset(text.text("general.alignment", "32").bytes()), "is a text"));
  GgufBuilder one;
  one.alignment = 1;
  one.number("general.alignment", 1U).tensor("a", {1}, TensorType::i8).tensor("b", {1}, TensorType::i8);
  EXPECT_EQ(refusal(one.bytes()), "opened");
}

TEST_F(GgufDamage, OfTheVersionIsRefused) {
  const auto of_version = [&](uint32_t version) {
    GgufBuilder builder;
    builder.version = version;
    return refusal_with_offset(builder.bytes());
  };
  EXPECT_TRUE(mentions(of_version(1), "the GGUF version is 1;"));
  EXPECT_TRUE(mentions(of_version(4), "the GGUF version is 4;"));
  EXPECT_TRUE(mentions(of_version(0x03000000), "big-endian"));
  EXPECT_TRUE(mentions(refusal_with_offset("GGML" + std::string(64, '\0')), "not a GGUF file"));
}

TEST_F(GgufDamage, OfLengthsNeverAllocatesWhatTheFileHasNoBytesFor) {
  constexpr uint64_t kHuge = UINT64_MAX - 3;
  for (const uint64_t claim : {kHuge, uint64_t(1) << 40, uint64_t(1000)}) {
    GgufBuilder keys;
    keys.claimed_keys = claim;
    EXPECT_TRUE(mentions(refusal_with_offset(keys.bytes()), "a list of keys")) << claim;
    GgufBuilder tensors;
    tensors.claimed_tensors = claim;
    EXPECT_TRUE(mentions(refusal_with_offset(tensors.bytes()), "a tensor table")) << claim;
    GgufBuilder text;
    text.pair("k", GgufType::text, Fields().number(claim).raw(std::string(64, 'x')).bytes());
    EXPECT_TRUE(mentions(refusal_with_offset(text.bytes()), "a text ")) << claim;
    for (const uint32_t type : {0U, 3U, 5U, 7U, 8U, 12U}) {
      GgufBuilder array;
      array.pair("k", GgufType::array,
                 Fields().number(type).number(claim).raw(std::string(64, '\0')).bytes());
      EXPECT_TRUE(mentions(refusal_with_offset(array.bytes()), "an array of ")) << claim << " " << type;
    }
  }
  GgufBuilder key;
  key.claimed_keys = 1;
  EXPECT_TRUE(
      mentions(refusal(key.head() + Fields().number(kHuge).raw(std::string(64, 'x')).bytes()), "a key"));
}

TEST_F(GgufDamage, OfTypesIsRefused) {
  GgufBuilder value;
  value.pair("k", GgufType(13), std::string(64, '\0'));
  EXPECT_TRUE(mentions(refusal_with_offset(value.bytes()), "unknown type 13"));
  for (const uint32_t type : {9U, 13U, UINT32_MAX}) {
    GgufBuilder array;
    array.pair("k", GgufType::array,
               Fields().number(type).number(uint64_t(1)).raw(std::string(64, '\0')).bytes());
    EXPECT_TRUE(mentions(refusal_with_offset(array.bytes()), fmt::format("unknown type {}", type)));
  }
}

TEST_F(GgufDamage, OfAFileThatIsNoneIsNamed) {
  EXPECT_TRUE(mentions(error_of(Gguf::open(directory_ / "none.gguf")), "none.gguf: No such file"));
  EXPECT_TRUE(mentions(error_of(Gguf::open("/dev/null")), "/dev/null is not a regular file"));
  EXPECT_TRUE(mentions(error_of(Gguf::open(directory_ / "")), "not a regular file"));
  EXPECT_TRUE(mentions(refusal_with_offset(""), "offset 0: the file ends within the magic"));
}

// A sparse file can claim any size; its head is still limited to the most that a head may take.
TEST_F(GgufDamage, OfAHugeSparseFileIsFoundWithoutReadingAllOfIt) {
  GgufBuilder builder;
  builder.claimed_keys = 1;
  const uint64_t count = uint64_t(1) << 33;
  const std::string head =
      builder.head() + Fields().text("k").number(uint32_t(9)).number(uint32_t(8)).number(count).bytes();
  const std::string path = directory_.write(head);
  std::filesystem::resize_file(path, uint64_t(100) * kGiB);
  EXPECT_TRUE(mentions(error_of(Gguf::open(path)), "a head has at most"));
}

TEST_F(GgufSplit, ModelsAreReadFromAllTheirFiles) {
  const std::string first = directory_.write(split_part(0, "a"), "m-00001-of-00003.gguf");
  directory_.write(split_part(1, "b"), "m-00002-of-00003.gguf");
  const std::string missing = error_of(Gguf::open(first));
  EXPECT_TRUE(mentions(missing, "m-00003-of-00003.gguf: No such file")) << missing;
  EXPECT_TRUE(mentions(missing, "part 3 of 3 of " + first)) << missing;

  const std::string last = directory_.write(split_part(2, "c"), "m-00003-of-00003.gguf");
  const Result<Gguf> gguf = Gguf::open(first);
  ASSERT_TRUE(gguf) << gguf.error().message;
  EXPECT_EQ(gguf->files(), (std::vector<std::string>{first, directory_ / "m-00002-of-00003.gguf", last}));
  ASSERT_EQ(gguf->tensors().size(), 3U);
  EXPECT_EQ(gguf->find("c")->file, 2U);
  EXPECT_EQ(*gguf->metadata().integer<uint32_t>("split.no"), 0U);
  EXPECT_TRUE(mentions(error_of(Gguf::open(last)), "is part 3 of a split model; name the first part"));
}

TEST_F(GgufSplit, ModelsWhoseFilesDoNotBelongTogetherAreRefused) {
  const std::string first = directory_.write(split_part(0, "a"), "m-00001-of-00003.gguf");
  directory_.write(split_part(1, "b"), "m-00002-of-00003.gguf");
  const auto with_last = [&](const std::string& bytes) {
    directory_.write(bytes, "m-00003-of-00003.gguf");
    return error_of(Gguf::open(first));
  };
  EXPECT_EQ(with_last(split_part(2, "c")), "no error");
  EXPECT_TRUE(mentions(with_last(split_part(1, "c")), "says it is part 2 of 3, but part 3 of 3 is expected"));
  EXPECT_TRUE(mentions(with_last(split_part(7, "c")), "says it is part 8 of 3"));
  EXPECT_TRUE(mentions(with_last(split_part(2, "a")), "tensor a appears twice"));
  EXPECT_TRUE(mentions(with_last(split_part(2, "c").substr(0, 100)), "m-00003-of-00003.gguf: offset"));
  GgufBuilder none;
  none.number("split.no", uint16_t(2)).number("split.count", uint16_t(3));
  EXPECT_TRUE(mentions(with_last(none.bytes()), "split.tensors.count is 3, but the files have 2 tensors"));
  EXPECT_TRUE(mentions(error_of(Gguf::open(directory_.write(split_part(0, "a")))),
                       "its name does not end in -00001-of-"));
}

// Waiting for the other end of the pipe would never end.
TEST_F(GgufSplit, ModelsOfWhichAPartIsAPipeAreRefused) {
  const std::string first = directory_.write(split_part(0, "a"), "m-00001-of-00003.gguf");
  const std::string second = directory_ / "m-00002-of-00003.gguf";
  ASSERT_EQ(::mkfifo(second.c_str(), 0600), 0);
  ::alarm(20);
  const std::string refused = error_of(Gguf::open(first));
  EXPECT_TRUE(mentions(refused, second + " is not a regular file")) << refused;

  std::filesystem::remove(second);
  directory_.write(split_part(1, "b"), "m-00002-of-00003.gguf");
  directory_.write(split_part(2, "c"), "m-00003-of-00003.gguf");
  const Result<Gguf> gguf = Gguf::open(first);
  ASSERT_TRUE(gguf) << gguf.error().message;
  std::filesystem::remove(second);
  ASSERT_EQ(::mkfifo(second.c_str(), 0600), 0);
  std::vector<std::byte> memory(ResidentWeights::bytes_needed(*gguf, 1));
  const std::string unread = error_of(ResidentWeights::load(*gguf, 1, memory));
  EXPECT_TRUE(mentions(unread, second)) << unread;
  ::alarm(0);
}

// Any bit of the head may be wrong: the file is then refused, or its tensors still lie within it.
TEST_F(GgufDamage, OfAnyBitIsRefusedOrHarmless) {
  const GgufBuilder builder = tiny_moe();
  const std::string whole = builder.bytes();
  size_t refused = 0;
  for (size_t bit = 0; bit < builder.head().size() * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = char(damaged[bit / 8] ^ (1 << (bit % 8)));
    const Result<Gguf> gguf = Gguf::open(directory_.write(damaged));
    if (!gguf) {
      ++refused;
      EXPECT_TRUE(mentions(gguf.error().message, "model.gguf")) << bit;
      continue;
    }
    EXPECT_EQ(gguf->metadata().values().size(), 19U) << bit;
    EXPECT_LE(gguf->tensors().size(), 6U) << bit;  // a smaller count contradicts nothing
    for (const GgufTensor& tensor : gguf->tensors()) {
      EXPECT_LE(tensor.bytes, whole.size()) << bit;
      EXPECT_LE(tensor.offset, whole.size() - tensor.bytes) << bit;
      EXPECT_EQ(gguf->find(tensor.name), &tensor) << bit;
    }
  }
  EXPECT_GT(refused, builder.head().size());
}

TEST_F(GgufDamage, OfAFileCutOffAnywhereIsRefused) {
  GgufBuilder builder = tiny_moe();
  builder.pad_last = false;
  const std::string whole = builder.bytes();
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(refusal_with_offset(whole.substr(0, length)), "opened") << length;
  }
}

}  // namespace
}  // namespace spillway
