#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "core/expects.h"
#include "runtime/model/decoder.h"
#include "runtime/model/gguf_experts.h"
#include "runtime/steady_clock.h"

namespace spillway {
namespace {

namespace fs = std::filesystem;

const fs::path kOracle = fs::path(SPILLWAY_SHARED_DIR) / "oracle";
constexpr uint32_t kContext = 64;

// Feeds given tokens one after the other, or `together` at a time, and keeps what the model says to each.
class GivenTokens final : public TokenFeed {
 public:
  GivenTokens(std::vector<TokenId> tokens, size_t together)
      : tokens_(std::move(tokens)), together_(together) {}

  Result<bool> next(Batch& batch) override {
    if (at_ == tokens_.size()) {
      return false;
    }
    const size_t end = std::min(at_ + together_, tokens_.size());
    batch.tokens.assign(tokens_.begin() + ptrdiff_t(at_), tokens_.begin() + ptrdiff_t(end));
    batch.begins_sequence = at_ == 0;
    batch.all_logits = true;
    batch.phase = together_ > 1 ? Phase::prefill : Phase::decode;
    at_ = end;
    return true;
  }

  Result<void> logits(uint32_t /*index*/, std::span<const float> values) override {
    said.emplace_back(values.begin(), values.end());
    return {};
  }

  std::vector<std::vector<float>> said;  // [position][vocabulary]

 private:
  std::vector<TokenId> tokens_;
  size_t together_;
  size_t at_ = 0;
};

std::vector<TokenId> given_tokens() {
  std::ifstream file(kOracle / "tokens32.txt");
  std::vector<TokenId> tokens;
  for (std::string word; std::getline(file, word, ',');) {
    tokens.push_back(std::stoi(word));
  }
  return tokens;
}

struct Answer {
  std::vector<std::vector<float>> logits;      // [position][vocabulary]
  std::vector<std::vector<uint16_t>> choices;  // [position × layer], in the order of the steps
};

// Runs the whole model, each expert read from the file when it is asked for.
Answer answer(const fs::path& path, Isa isa, unsigned threads, size_t together) {
  const Result<Gguf> gguf = Gguf::open(path);
  Expects(gguf.has_value());
  const Result<GgufExperts> experts = find_gguf_experts(*gguf);
  Expects(experts.has_value());
  const auto layers = uint32_t(experts->layers.size());
  AlignedBytes memory;
  const uint64_t bytes = ResidentWeights::bytes_needed(*gguf, layers);
  memory.resize(bytes);
  Result<ResidentWeights> weights = ResidentWeights::load(*gguf, layers, {memory.data(), bytes});
  Expects(weights.has_value());
  Result<Model> model = build_model(*gguf, *experts, *weights, {.context = kContext, .kv = KvType::f32});
  EXPECT_TRUE(model) << model.error().message;

  Engine engine(isa, threads);
  SteadyClock clock;
  GivenTokens feed(given_tokens(), together);
  Answer got;
  const auto record = [&](const Step& step) -> Result<void> {
    got.choices.push_back(step.choices);
    return {};
  };
  Decoder decoder(*model, engine, feed, clock, kContext, record);
  const int file = ::open(path.c_str(), O_RDONLY);
  Step step;
  while (*decoder.next(step)) {
    for (const ExpertId id : step.experts) {
      std::vector<std::vector<std::byte>> parts;
      std::vector<std::span<const std::byte>> spans;
      for (const GgufExpertTensor& part : experts->layers[step.layer]) {
        parts.emplace_back(part.bytes);
        const uint64_t offset = part.offset + model->geometry.expert_of(id) * part.bytes;
        EXPECT_EQ(::pread(file, parts.back().data(), part.bytes, off_t(offset)), ssize_t(part.bytes));
      }
      spans.assign(parts.begin(), parts.end());
      decoder.expert(step, id, spans, clock.now());
    }
  }
  ::close(file);
  got.logits = std::move(feed.said);
  return got;
}

std::vector<std::vector<float>> reference_logits(const std::string& model, size_t positions) {
  std::ifstream file(kOracle / "logits" / (model + ".bin"), std::ios::binary);
  std::stringstream all;
  all << file.rdbuf();
  const std::string bytes = all.str();
  const size_t vocabulary = bytes.size() / sizeof(float) / positions;
  std::vector<std::vector<float>> logits(positions, std::vector<float>(vocabulary));
  for (size_t i = 0; i < positions; ++i) {
    std::memcpy(logits[i].data(), bytes.data() + i * vocabulary * sizeof(float), vocabulary * sizeof(float));
  }
  return logits;
}

// [position × layer] the experts that llama.cpp's router chose.
std::vector<std::vector<uint16_t>> reference_choices(const std::string& model) {
  std::ifstream file(kOracle / "logits" / (model + ".router.jsonl"));
  std::map<std::pair<int, int>, std::vector<uint16_t>> by_place;
  for (std::string line; std::getline(file, line);) {
    const nlohmann::json row = nlohmann::json::parse(line);
    const auto name = row["name"].get<std::string>();
    constexpr std::string_view kName = "ffn_moe_topk-";
    if (name.starts_with(kName) && name.find(' ') == std::string::npos) {
      by_place[{row["pos0"].get<int>(), std::stoi(name.substr(kName.size()))}] =
          row["data"].get<std::vector<uint16_t>>();
    }
  }
  std::vector<std::vector<uint16_t>> choices;
  for (const auto& [place, chosen] : by_place) {
    choices.push_back(chosen);
  }
  return choices;
}

// Kullback-Leibler divergence of the next-token distributions, in nats.
double divergence(const std::vector<float>& truth, const std::vector<float>& other) {
  const auto log_sum = [](const std::vector<float>& logits) {
    double sum = 0;
    for (const float value : logits) {
      sum += std::exp(double(value));
    }
    return std::log(sum);
  };
  const double a = log_sum(truth);
  const double b = log_sum(other);
  double sum = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    const double log_p = truth[i] - a;
    sum += std::exp(log_p) * (log_p - (other[i] - b));
  }
  return sum;
}

class EveryOracleModel : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!fs::exists(path())) {
      GTEST_SKIP() << path() << " is not here";
    }
  }
  std::string name() const { return GetParam(); }
  fs::path path() const { return kOracle / "models" / (name() + ".gguf"); }
};

TEST_P(EveryOracleModel, GivesTheNextTokenDistributionsOfLlamaCpp) {
  const Answer got = answer(path(), *choose_isa(""), 1, 1);
  const std::vector<std::vector<float>> want = reference_logits(name(), got.logits.size());
  ASSERT_EQ(got.logits.size(), 32U);
  double sum = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    ASSERT_EQ(got.logits[i].size(), want[i].size());
    sum += divergence(want[i], got.logits[i]);
  }
  EXPECT_LE(sum / double(want.size()), 2e-3);
  RecordProperty("mean_kl", std::to_string(sum / double(want.size())));
}

TEST_P(EveryOracleModel, ChoosesTheExpertsThatLlamaCppChooses) {
  const Answer got = answer(path(), *choose_isa(""), 1, 1);
  const std::vector<std::vector<uint16_t>> want = reference_choices(name());
  ASSERT_EQ(got.choices.size(), want.size());
  size_t all = 0;
  size_t different = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const std::set<uint16_t> ours(got.choices[i].begin(), got.choices[i].end());
    for (const uint16_t expert : want[i]) {
      ++all;
      different += ours.contains(expert) ? 0 : 1;
    }
  }
  EXPECT_LE(different, all / 100) << "of " << all;
  RecordProperty("different", std::to_string(different));
}

TEST_P(EveryOracleModel, IsTheSameToTheBitWithAnyThreadsAndBatch) {
  const Answer one = answer(path(), *choose_isa(""), 1, 1);
  EXPECT_EQ(answer(path(), *choose_isa(""), 3, 8).logits, one.logits);
  EXPECT_EQ(answer(path(), *choose_isa(""), 2, 32).logits, one.logits);
}

INSTANTIATE_TEST_SUITE_P(every, EveryOracleModel,
                         testing::Values("tiny-qwen3moe-q4_k", "tiny-qwen3moe-mix", "tiny-qwen3moe-exps-q2_k",
                                         "tiny-qwen3moe-exps-iq2_xxs", "tiny-qwen35moe-q4_k",
                                         "tiny-qwen35moe-exps-iq2_xs"),
                         [](const auto& instance) {
                           std::string name = instance.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace spillway
