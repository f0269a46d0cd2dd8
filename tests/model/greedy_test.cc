#include "tests/model/oracle.h"

namespace spillway {
namespace {

using oracle::Answer;
using oracle::Reference;

class EveryGreedyText : public oracle::ModelTest {};

TEST_P(EveryGreedyText, IsTheOneThatLlamaCppWrites) {
  const std::optional<Reference> want = reference("greedy");
  if (!want) {
    return;
  }
  const size_t given = want->given;
  const std::vector<TokenId> prompt(want->tokens.begin(), want->tokens.begin() + given);
  const size_t more = want->tokens.size() - given;
  const Answer got = oracle::answer(path(), prompt, more);
  ASSERT_EQ(got.tokens.size(), want->tokens.size());
  const auto parting = std::mismatch(want->tokens.begin(), want->tokens.end(), got.tokens.begin()).first;
  const size_t same = size_t(parting - want->tokens.begin()) - given;
  RecordProperty("greedy_tokens", std::to_string(more));
  RecordProperty("same_greedy_tokens", std::to_string(same));
  if (is_fine()) {
    EXPECT_EQ(got.tokens, want->tokens);
  }
  // Where two tokens are about equally likely, a rounding decides between them, and the texts differ from
  // there on. Up to that place, the engines must agree.
  std::vector<oracle::Row> until_there(want->logits.begin(), want->logits.begin() + ptrdiff_t(given + same));
  std::vector<oracle::Row> ours(got.logits.begin(), got.logits.begin() + ptrdiff_t(given + same));
  expect_close(oracle::difference(until_there, ours), is_f32());
}

TEST_P(EveryGreedyText, IsAsLikelyAsLlamaCppFindsIt) {
  const std::optional<Reference> want = reference("greedy");
  if (!want) {
    return;
  }
  const Answer got = oracle::answer(path(), want->tokens);
  ASSERT_EQ(got.logits.size(), want->logits.size());
  // In F16, one of 896 choices of an expert depends on the fourth digit of a router's logit.
  expect_close(oracle::difference(want->logits, got.logits), is_f32());
}

INSTANTIATE_TEST_SUITE_P(shipped, EveryGreedyText, testing::ValuesIn(test::reference_models()),
                         oracle::name_of);
INSTANTIATE_TEST_SUITE_P(larger, EveryGreedyText, testing::ValuesIn(oracle::larger_models(oracle::kModes)),
                         oracle::name_of);

}  // namespace
}  // namespace spillway
