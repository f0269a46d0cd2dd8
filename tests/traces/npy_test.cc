#include "tests/traces/import_testing.h"

namespace spillway::testing {
namespace {

// An array of numbers as numpy writes it.
std::string npy(const std::string& type, const std::string& shape, const std::string& data,
                const std::string& order = "False", char version = 1) {
  std::string head = fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}", type, order, shape);
  const size_t fixed = version == 1 ? 10 : 12;
  head.append((64 - (fixed + head.size() + 1) % 64) % 64, ' ');
  head += '\n';
  std::string bytes = "\x93NUMPY";
  bytes += version;
  bytes += '\0';
  bytes += char(head.size() & 0xff);
  bytes += char(head.size() >> 8);
  if (version > 1) {
    bytes.append(2, '\0');
  }
  return bytes + head + data;
}

template <class T>
std::string items(const std::vector<int>& values, bool big_endian = false) {
  std::string bytes;
  for (const int value : values) {
    std::string one(sizeof(T), '\0');
    const T item = T(value);
    std::memcpy(one.data(), &item, sizeof item);
    if (big_endian) {
      std::reverse(one.begin(), one.end());
    }
    bytes += one;
  }
  return bytes;
}

class Npy : public ::testing::Test {
 protected:
  Imported import(const std::string& bytes, const ImportOptions& options = kOptions) {
    write_text(scratch_ / "routed_experts.npy", bytes);
    return import_all(scratch_ / "routed_experts.npy", options);
  }

  static inline const ImportOptions kOptions = eight_experts();
  TemporaryDirectory scratch_;
};

// Two tokens, two layers, top-2.
const std::vector<int> kRouting = {3, 1, 2, 4, 5, 0, 7, 6};
const std::string kShape = "(2, 2, 2)";

TEST_F(Npy, IsATokenAPassForEveryTypeOfInteger) {
  for (const std::string& bytes :
       {npy("|u1", kShape, items<uint8_t>(kRouting)), npy("|i1", kShape, items<int8_t>(kRouting)),
        npy("<u2", kShape, items<uint16_t>(kRouting)), npy(">u2", kShape, items<uint16_t>(kRouting, true)),
        npy("<i2", kShape, items<int16_t>(kRouting)), npy("<i4", kShape, items<int32_t>(kRouting)),
        npy("<i8", kShape, items<int64_t>(kRouting)), npy("<u8", kShape, items<uint64_t>(kRouting)),
        npy("<i8", kShape, items<int64_t>(kRouting), "False", 2),
        npy("<i8", kShape, items<int64_t>(kRouting), "False", 3)}) {
    const Imported got = import(bytes);
    ASSERT_EQ(got.error, "");
    ASSERT_EQ(got.steps.size(), 4U);
    EXPECT_EQ(got.steps[1].choices, (std::vector<uint16_t>{2, 4}));
    EXPECT_EQ(got.steps[2].choices, (std::vector<uint16_t>{5, 0}));
    EXPECT_EQ(got.steps[2].pass, 1U);
    EXPECT_EQ(got.header.geometry, (ModelGeometry{2, 8, 2, 2, {4096, 4096}}));
  }
}

TEST_F(Npy, BeginsWithThePrefillThatTheUserNames) {
  ImportOptions options = kOptions;
  options.prompt_tokens = 2;
  const Imported got = import(npy("|u1", "(3, 1, 2)", items<uint8_t>({3, 1, 2, 4, 5, 0})), options);
  ASSERT_EQ(got.error, "");
  ASSERT_EQ(got.steps.size(), 2U);
  EXPECT_EQ(got.steps[0].choices, (std::vector<uint16_t>{3, 1, 2, 4}));
  EXPECT_EQ(got.steps[0].phase, Phase::prefill);
  EXPECT_EQ(got.steps[1].phase, Phase::decode);
  EXPECT_EQ(got.steps[1].pass, 1U);
}

TEST_F(Npy, LeavesOutPaddingAndLayersWithoutExperts) {
  const Imported got =
      import(npy("<i2", "(3, 2, 2)", items<int16_t>({0, 0, 3, 1, -1, -1, -1, -1, 0, 0, 4, 2})));
  ASSERT_EQ(got.error, "");
  ASSERT_EQ(got.steps.size(), 2U);
  EXPECT_EQ(got.steps[1].choices, (std::vector<uint16_t>{4, 2}));
  EXPECT_EQ(got.header.geometry.expert_bytes, (std::vector<uint64_t>{0, 4096}));
}

TEST_F(Npy, TakesTheHighestUnsignedNumberAndAnUnrecordedLayerForNone) {
  const Imported wrapped = import(npy("<u2", "(2, 2, 2)", items<uint16_t>({3, 1, 2, 4, -1, -1, -1, -1})));
  ASSERT_EQ(wrapped.error, "");
  EXPECT_EQ(wrapped.steps.size(), 2U) << "the second token is padding";
  const Imported byte = import(npy("|u1", "(2, 1, 2)", items<uint8_t>({255, 255, 3, 1})));
  ASSERT_EQ(byte.error, "");
  EXPECT_EQ(byte.steps.size(), 1U);
  const Imported dense = import(npy("<i4", "(2, 2, 2)", items<int32_t>({-1, -1, 3, 1, -1, -1, 4, 2})));
  ASSERT_EQ(dense.error, "");
  EXPECT_EQ(dense.steps.size(), 2U);
  EXPECT_EQ(dense.header.geometry.expert_bytes, (std::vector<uint64_t>{0, 4096}));
}

TEST_F(Npy, TheHighestNumberIsAnExpertWhereThereAreSoMany) {
  ImportOptions options = kOptions;
  options.experts_per_layer = 256;
  const Imported got = import(npy("|u1", "(2, 1, 1)", items<uint8_t>({255, 3})), options);
  ASSERT_EQ(got.error, "");
  ASSERT_EQ(got.steps.size(), 2U);
  EXPECT_EQ(got.steps[0].choices, (std::vector<uint16_t>{255}));
}

TEST_F(Npy, ThatIsNoneButAnArchiveOrSomethingElseIsNamedWithTheRemedy) {
  for (const auto& [bytes, remedy] :
       {std::pair<std::string, const char*>{"PK\x03\x04 and so on", "numpy.save"},
        {"\xfd"
         "7zXZ and so on",
         "xz -dk"},
        {"PAR1 and so on", "CSV"},
        {"GGUF and so on", "spillway record"},
        {"", "is empty"}}) {
    const Imported got = import(bytes);
    EXPECT_NE(got.error.find(remedy), std::string::npos) << got.error;
  }
}

TEST_F(Npy, SaysWhatIsWrong) {
  const std::string data = items<uint8_t>(kRouting);
  const std::vector<std::pair<std::string, const char*>> cases = {
      {npy("<f4", kShape, data), "integers"},
      {npy("|O", kShape, data), "integers"},
      {npy("|u1", "(4, 2)", data), "[tokens, layers, top-k]"},
      {npy("|u1", "(2, 2, 2, 1)", data), "[tokens, layers, top-k]"},
      {npy("|u1", "(0, 2, 2)", ""), "nothing in it"},
      {npy("|u1", "(2, 2, 99999999999)", data), "no model has so many"},
      {npy("|u1", "(2, 60000, 60000)", data), "cut off"},
      {npy("|u1", "(3, 2, 2)", data), "its shape says 3 tokens, and it has 2"},
      {npy("|u1", kShape, data, "True"), "ascontiguousarray"},
      {npy("|u1", kShape, items<uint8_t>({3, 1, 2, 4, 5, 5, 7, 6})),
       "token 1, layer 0: expert 5 is chosen twice"},
      {npy("|u1", kShape, items<uint8_t>({3, 1, 2, 4, 5, 8, 7, 6})), "token 1, layer 0: expert 8"},
      {npy("<i2", kShape, items<int16_t>({3, 1, 2, 4, 5, -1, 7, 6})), "token 1 has 1 of 4"},
      {npy("|u1", kShape, data).substr(0, 40), "cut off at offset"},
      {npy("|u1", kShape, data, "False", 9), "version"}};
  for (const auto& [bytes, message] : cases) {
    const Imported got = import(bytes);
    EXPECT_NE(got.error.find(message), std::string::npos) << message << ": " << got.error;
  }
  EXPECT_NE(import(npy("|u1", kShape, data), {}).error.find("--experts"), std::string::npos);
}

}  // namespace
}  // namespace spillway::testing
