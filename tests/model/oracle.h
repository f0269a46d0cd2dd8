#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/expects.h"
#include "core/json.h"
#include "model/decoder.h"
#include "model/gguf/gguf_experts.h"
#include "runtime/steady_clock.h"
#include "tests/support/references.h"

// llama.cpp's answers on small models, and ours. The smallest models are in tests/references. Larger ones,
// with more types of weights, are in SPILLWAY_SHARED_DIR or where tests/oracle/make_references has made them.
namespace spillway::oracle {

namespace fs = std::filesystem;
using Row = std::vector<float>;

// Models in the repository are called small-ARCHITECTURE-MODE, others tiny-ARCHITECTURE-MODE; the mode is the
// type of the weights.
inline const std::vector<std::string> kArchitectures = {"qwen3moe", "qwen35moe"};
inline const std::vector<std::string> kModes = {"f32",         "f16",          "bf16",         "q8_0",
                                                "q4_k",        "mix",          "exps-q2_k",    "exps-q3_k",
                                                "exps-q4_0",   "exps-q5_k",    "exps-q6_k",    "exps-mxfp4",
                                                "exps-iq2_xs", "exps-iq2_xxs", "exps-iq3_xxs", "exps-iq4_xs"};
// Further types, in a model of the first architecture. llama.cpp's answers on it are in another folder.
inline const std::vector<std::string> kFurtherModes = {"exps-q4_1",  "exps-q5_0",  "exps-iq4_nl",
                                                       "exps-nvfp4", "exps-q1_0",  "exps-iq2_s",
                                                       "exps-iq3_s", "exps-iq1_s", "exps-tq2_0"};
inline constexpr size_t kPrompt = 8;  // tokens that the greedy texts of those models continue

inline std::vector<std::string> larger_models(const std::vector<std::string>& modes) {
  std::vector<std::string> names;
  for (const std::string& architecture : kArchitectures) {
    for (const std::string& mode : modes) {
      names.push_back(fmt::format("tiny-{}-{}", architecture, mode));
    }
  }
  return names;
}

inline std::vector<std::string> models_of_further_types() {
  std::vector<std::string> names;
  for (const std::string& mode : kFurtherModes) {
    names.push_back(fmt::format("tiny-{}-{}", kArchitectures.front(), mode));
  }
  return names;
}

inline fs::path beside() {
  return fs::path(SPILLWAY_SHARED_DIR) / "oracle";
}

// Returns the folder of the models, with llama.cpp's answers in logits/ and greedy/.
inline fs::path made() {
  if (const char* folder = std::getenv("SPILLWAY_ORACLE_MODELS")) {
    return folder;
  }
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const fs::path base =
      cache != nullptr ? fs::path(cache) : fs::path(home != nullptr ? home : "/") / ".cache";
  return base / "spillway" / "oracle" / "models";
}

inline std::optional<fs::path> first_existing(const std::vector<fs::path>& paths) {
  const auto found =
      std::find_if(paths.begin(), paths.end(), [](const fs::path& path) { return fs::exists(path); });
  return found == paths.end() ? std::nullopt : std::optional<fs::path>(*found);
}

inline std::optional<fs::path> find_model(const std::string& name) {
  return first_existing({beside() / "models" / (name + ".gguf"), made() / (name + ".gguf")});
}

// One of llama.cpp's answers. `kind` is `logits` or `greedy`; for models in the
// repository both are one answer.
struct Reference {
  std::vector<TokenId> tokens;  // one a position
  size_t given = 0;             // the first tokens, which llama.cpp continued; the others are its text
  std::vector<Row> logits;      // [position][vocabulary]
  // [position × layer] the experts that llama.cpp's router chose, the likeliest first; may be missing
  std::vector<std::vector<uint16_t>> choices;
};

inline std::vector<Row> rows_of(const std::string& bytes, size_t positions, size_t vocabulary) {
  Expects(bytes.size() == positions * vocabulary * sizeof(float));
  std::vector<Row> rows(positions, Row(vocabulary));
  for (size_t i = 0; i < positions; ++i) {
    std::memcpy(rows[i].data(), bytes.data() + i * vocabulary * sizeof(float), vocabulary * sizeof(float));
  }
  return rows;
}

// All tests give the same reason, so that tests/run can count them together.
inline constexpr const char* kNoLargerModels =
    "larger models and llama.cpp's answers on them do not ship; tests/oracle/make_references makes them";

inline bool ships(const std::string& name) {
  return name.starts_with("small-");
}

inline Reference load_shipped(const std::string& name) {
  const Json json = Json::parse(test::read_file(test::reference_path("models/" + name + ".json")));
  Reference reference;
  reference.tokens = json["tokens"].get<std::vector<TokenId>>();
  reference.given = json["given"].get<size_t>();
  reference.logits = rows_of(test::unpacked("models/" + name + ".logits"), reference.tokens.size(),
                             json["vocabulary"].get<size_t>());
  for (const Json& position : json["choices"]) {
    for (const Json& layer : position) {
      reference.choices.push_back(layer.get<std::vector<uint16_t>>());
    }
  }
  return reference;
}

inline std::vector<std::vector<uint16_t>> load_choices(const fs::path& router) {
  std::ifstream file(router);
  std::map<std::pair<int, int>, std::vector<uint16_t>> by_place;
  for (std::string line; std::getline(file, line);) {
    const Json row = Json::parse(line);
    const auto name = row["name"].get<std::string>();
    constexpr std::string_view kName = "ffn_moe_topk-";
    // Copies of a node have more behind the node's name.
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

inline Reference load_reference(const fs::path& json) {
  const Json settings = Json::parse(test::read_file(json));
  Reference reference;
  reference.tokens = settings["tokens"].get<std::vector<TokenId>>();
  reference.given = std::min(reference.tokens.size(), kPrompt);
  reference.logits = rows_of(test::read_file(fs::path(json).replace_extension(".bin")),
                             settings["n_pos"].get<size_t>(), settings["n_vocab"].get<size_t>());
  reference.choices = load_choices(fs::path(json).replace_extension(".router.jsonl"));
  return reference;
}

inline std::optional<Reference> find_reference(const std::string& kind, const std::string& name) {
  if (ships(name)) {
    return load_shipped(name);
  }
  const std::optional<fs::path> json =
      first_existing({beside() / kind / (name + ".json"), beside() / "arch" / kind / (name + ".json"),
                      made() / kind / (name + ".json")});
  return json ? std::optional<Reference>(load_reference(*json)) : std::nullopt;
}

inline TokenId likeliest(const Row& logits) {
  return TokenId(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// Feeds given tokens, `together` at a time, then `more` greedy ones, and keeps the model's logits for each.
class Feed final : public TokenFeed {
 public:
  Feed(std::vector<TokenId> tokens, size_t together, size_t more)
      : tokens_(std::move(tokens)), together_(together), more_(more) {}

  Result<bool> next(Batch& batch) override {
    if (at_ == tokens_.size()) {
      if (more_ == 0) {
        return false;
      }
      --more_;
      tokens_.push_back(likeliest(said_.back()));
    }
    const size_t end = std::min(at_ + together_, tokens_.size());
    batch.tokens.assign(tokens_.begin() + ptrdiff_t(at_), tokens_.begin() + ptrdiff_t(end));
    batch.begins_sequence = at_ == 0;
    batch.first_logits = 0;
    batch.phase = together_ > 1 ? Phase::prefill : Phase::decode;
    at_ = end;
    return true;
  }

  Result<void> logits(uint32_t /*index*/, std::span<const float> values) override {
    said_.emplace_back(values.begin(), values.end());
    return {};
  }

  std::vector<TokenId>& tokens() { return tokens_; }
  std::vector<Row>& said() { return said_; }

 private:
  std::vector<TokenId> tokens_;
  size_t together_;
  size_t more_;
  size_t at_ = 0;
  std::vector<Row> said_;  // [position][vocabulary]
};

// A whole model, whose experts are read from the file when they are needed.
class Subject {
 public:
  static constexpr uint32_t kContext = 64;

  explicit Subject(const fs::path& path)
      : gguf_(open(path)), experts_(*find_gguf_experts(gguf_)), path_(path) {
    const auto layers = uint32_t(experts_.layers.size());
    const uint64_t bytes = ResidentWeights::bytes_needed(gguf_, layers);
    memory_.resize(bytes);
    Result<ResidentWeights> loaded = ResidentWeights::load(gguf_, layers, {memory_.data(), bytes});
    Expects(loaded.has_value());
    weights_.emplace(std::move(*loaded));
  }

  Result<Model> build() {
    return build_model(gguf_, experts_, *weights_, {.context = kContext, .kv = KvType::f32});
  }

  // Runs the batches of `feed`.
  std::vector<Step> run(Isa isa, unsigned threads, Feed& feed) {
    Result<Model> model = build();
    EXPECT_TRUE(model) << model.error().message;
    Engine engine(isa, threads);
    SteadyClock clock;
    std::vector<Step> steps;
    const auto record = [&](const Step& step) -> Result<void> {
      steps.push_back(step);
      return {};
    };
    Decoder decoder(*model, engine, feed, clock, {.context = kContext}, record);
    const int file = ::open(path_.c_str(), O_RDONLY);
    Step step;
    while (*decoder.next(step)) {
      decoder.shared_expert(step, clock.now());
      for (const ExpertId id : step.experts) {
        compute(decoder, clock, step, id, model->geometry.expert_of(id), file);
      }
    }
    ::close(file);
    return steps;
  }

 private:
  static Gguf open(const fs::path& path) {
    Result<Gguf> gguf = Gguf::open(path);
    Expects(gguf.has_value());
    return std::move(*gguf);
  }

  void compute(Decoder& decoder, const Clock& clock, const Step& step, ExpertId id, uint32_t number,
               int file) const {
    std::vector<std::vector<std::byte>> parts;
    for (const GgufExpertTensor& part : experts_.layers[step.layer]) {
      std::vector<std::byte>& bytes = parts.emplace_back(part.bytes);
      EXPECT_EQ(::pread(file, bytes.data(), part.bytes, off_t(part.offset + number * part.bytes)),
                ssize_t(part.bytes));
    }
    const std::vector<std::span<const std::byte>> spans(parts.begin(), parts.end());
    decoder.expert(step, id, spans, clock.now());
  }

  Gguf gguf_;
  GgufExperts experts_;
  fs::path path_;
  AlignedBytes memory_;
  std::optional<ResidentWeights> weights_;
};

struct Answer {
  std::vector<TokenId> tokens;  // the given tokens, then the greedy ones
  std::vector<Row> logits;      // [position][vocabulary]
  // [position × layer], or with batches [batch × layer]: the chosen experts, the likeliest first.
  std::vector<std::vector<uint16_t>> choices;
};

inline Answer answer(const fs::path& model, const std::vector<TokenId>& tokens, size_t greedy = 0,
                     unsigned threads = 1, size_t together = 1) {
  Feed feed(tokens, together, greedy);
  Answer got;
  for (Step& step : Subject(model).run(*choose_isa(""), threads, feed)) {
    got.choices.push_back(std::move(step.choices));
  }
  got.tokens = std::move(feed.tokens());
  got.logits = std::move(feed.said());
  return got;
}

// Returns the Kullback-Leibler divergence of a next-token distribution from the true one, in nats.
inline double divergence(const Row& truth, const Row& other) {
  const auto log_sum = [](const Row& logits) {
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
    const double log_p = double(truth[i]) - a;
    sum += std::exp(log_p) * (log_p - (double(other[i]) - b));
  }
  return sum;
}

struct Difference {
  double mean_kl = 0;     // nats
  double largest = 0;     // largest difference of a logit, relative to the range of llama.cpp's logits
  size_t same_first = 0;  // positions whose likeliest token is the same
};

inline Difference difference(const std::vector<Row>& want, const std::vector<Row>& got) {
  Expects(want.size() == got.size() && !want.empty());
  Difference found;
  float least = want[0][0];
  float most = want[0][0];
  double largest = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    Expects(want[i].size() == got[i].size());
    found.mean_kl += divergence(want[i], got[i]) / double(want.size());
    found.same_first += likeliest(want[i]) == likeliest(got[i]) ? 1 : 0;
    const auto [low, high] = std::minmax_element(want[i].begin(), want[i].end());
    least = std::min(least, *low);
    most = std::max(most, *high);
    for (size_t k = 0; k < want[i].size(); ++k) {
      largest = std::max(largest, std::abs(double(want[i][k]) - double(got[i][k])));
    }
  }
  found.largest = largest / double(most - least);
  return found;
}

// A test for one model, by its name. The model may be missing unless it is in the repository.
class ModelTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (ships(name())) {
      path_ = test::unpack_model(name(), scratch_.path());
      return;
    }
    const std::optional<fs::path> found = find_model(name());
    if (!found) {
      GTEST_SKIP() << kNoLargerModels;
    }
    path_ = *found;
  }

  const std::string& name() const { return GetParam(); }
  bool is_f32() const { return name().ends_with("-f32"); }
  // True for modes in which results are comparable closely. In the others, BF16 among them, activations are
  // rounded so coarsely that a different order of sums leads to other roundings, and now and then to another
  // expert: llama.cpp itself differs by 1.2 % of the range between two processors.
  bool is_fine() const { return is_f32() || name().ends_with("-f16"); }
  const fs::path& path() const { return path_; }

  // Returns llama.cpp's answer, or nothing after marking the test as skipped.
  std::optional<Reference> reference(const std::string& kind) const {
    std::optional<Reference> found = find_reference(kind, name());
    if (!found) {
      [&] { GTEST_SKIP() << kNoLargerModels; }();
    }
    return found;
  }

  // `exactly`: equal except for the order of the sums.
  void expect_close(const Difference& found, bool exactly) {
    RecordProperty("mean_kl", fmt::format("{:.3g}", found.mean_kl));
    RecordProperty("largest_difference_of_range", fmt::format("{:.3g}", found.largest));
    RecordProperty("same_likeliest_token", fmt::format("{}", found.same_first));
    EXPECT_LE(found.mean_kl, ships(name()) ? 1e-4 : 2e-3);
    if (exactly) {
      EXPECT_LE(found.largest, ships(name()) ? 5e-6 : 1e-3);
    }
  }

 private:
  const test::TemporaryDirectory scratch_;
  fs::path path_;
};

// Returns a name such as tiny_qwen3moe_exps_q4_0.
inline std::string name_of(const testing::TestParamInfo<std::string>& instance) {
  std::string name = instance.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace spillway::oracle
