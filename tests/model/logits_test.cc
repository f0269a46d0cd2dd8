#include <set>

#include "model/arch/list.h"
#include "tests/model/oracle.h"

namespace spillway {
namespace {

using oracle::Answer;
using oracle::Reference;

class EveryOracleModel : public oracle::ModelTest {};

TEST_P(EveryOracleModel, GivesTheNextTokenDistributionsOfLlamaCpp) {
  const std::optional<Reference> want = reference("logits");
  if (!want) {
    return;
  }
  const Answer got = oracle::answer(path(), want->tokens);
  ASSERT_EQ(got.logits.size(), want->logits.size());
  expect_close(oracle::difference(want->logits, got.logits), is_fine());
}

TEST_P(EveryOracleModel, ChoosesTheExpertsThatLlamaCppChooses) {
  const std::optional<Reference> said = reference("logits");
  if (!said) {
    return;
  }
  const std::vector<std::vector<uint16_t>>& want = said->choices;
  const Answer got = oracle::answer(path(), said->tokens);
  ASSERT_EQ(got.choices.size(), want.size());
  size_t all = 0;
  size_t different = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const std::set<uint16_t> ours(got.choices[i].begin(), got.choices[i].end());
    all += want[i].size();
    different += size_t(std::count_if(want[i].begin(), want[i].end(),
                                      [&](uint16_t expert) { return !ours.contains(expert); }));
  }
  RecordProperty("choices", std::to_string(all));
  RecordProperty("different_choices", std::to_string(different));
  EXPECT_LE(different, all / 100) << "of " << all;
  if (is_f32()) {
    EXPECT_EQ(got.choices, want) << "and in the same order";
  }
}

TEST_P(EveryOracleModel, IsTheSameToTheBitWithAnyThreadsAndBatch) {
  const std::optional<Reference> given = reference("logits");
  if (!given) {
    return;
  }
  const Answer one = oracle::answer(path(), given->tokens);
  EXPECT_EQ(oracle::answer(path(), given->tokens, 0, 3, 8).logits, one.logits);
  EXPECT_EQ(oracle::answer(path(), given->tokens, 0, 2, 32).logits, one.logits);
}

TEST_P(EveryOracleModel, SaysWhatATokenAddsToTheContextBeforeAWeightIsRead) {
  const Result<Gguf> head = Gguf::open(path());
  const Result<Model> model = oracle::Subject(path()).build();
  ASSERT_TRUE(head && model);
  EXPECT_EQ(kv_bytes_per_token(*head, model->geometry.layers, KvType::f32),
            model->state_bytes(2) - model->state_bytes(1));
}

INSTANTIATE_TEST_SUITE_P(shipped, EveryOracleModel, testing::ValuesIn(test::reference_models()),
                         oracle::name_of);
INSTANTIATE_TEST_SUITE_P(larger, EveryOracleModel, testing::ValuesIn(oracle::larger_models(oracle::kModes)),
                         oracle::name_of);

INSTANTIATE_TEST_SUITE_P(further_types, EveryOracleModel,
                         testing::ValuesIn(oracle::models_of_further_types()), oracle::name_of);

// Numbers of 32 bits are of a type that files use, but not for weights.
TEST(ModelOfAnUnknownType, IsRefusedWithTheTypeAndTheTensor) {
  const test::TemporaryDirectory folder;
  const std::string path = test::unpack_model("small-qwen3moe-f32", folder.path());
  std::string bytes = test::read_file(path);
  const std::string tensor = "blk.0.ffn_gate_exps.weight";
  // The type follows the name, the number of dimensions and three dimensions.
  const size_t at = bytes.find(tensor) + tensor.size() + sizeof(uint32_t) + 3 * sizeof(uint64_t);
  bytes[at] = char(TensorType::i32);
  test::write_file(path, bytes);
  const Result<Model> model = oracle::Subject(path).build();
  ASSERT_FALSE(model);
  for (const std::string& part : {std::string("type I32"), "tensor " + tensor, path}) {
    EXPECT_NE(model.error().message.find(part), std::string::npos) << model.error().message;
  }
}

// Fails when a model is added to the oracle without being tested.
TEST(Oracle, HasNoModelThatIsNotTested) {
  std::ifstream sums(oracle::beside() / "models.sha256");
  if (!sums) {
    GTEST_SKIP() << oracle::kNoLargerModels;
  }
  std::set<std::string> listed;
  for (std::string sum, file; sums >> sum >> file;) {
    listed.insert(file);
  }
  std::set<std::string> tested;
  for (const std::string& name : oracle::larger_models(oracle::kModes)) {
    tested.insert(name + ".gguf");
  }
  EXPECT_EQ(listed, tested);
}

// A new architecture needs a model in tests/oracle/small/architectures.py.
TEST(Oracle, ShipsAModelOfEveryArchitecture) {
  const std::vector<std::string> names = test::reference_models();
  for (const Architecture& architecture : architectures()) {
    for (const char* mode : {"f32", "q8_0"}) {
      const std::string name = fmt::format("small-{}-{}", architecture.name, mode);
      EXPECT_TRUE(std::find(names.begin(), names.end(), name) != names.end()) << name;
    }
  }
}

}  // namespace
}  // namespace spillway
