#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <thread>

#include "core/json.h"
#include "tests/support/references.h"

namespace spillway::test {
namespace {

const std::string kBundled = SPILLWAY_SOURCE_DIR "/bundled/tiny-moe-q4_0.gguf";
const std::string kHybrid = "small-qwen35moe-f32";  // of the references, which have to be unpacked
const std::string kEveryType = "small-qwen3moe-every-type";

// Writes the logits after each of a few tokens, as raw bytes.
Ran logits_of(const std::string& model, const std::string& tokens, const std::string& out,
              const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {
      "record",  "--model",    model,        "--token-ids", tokens, "--logits", out,
      "--force", "--no-trace", "--no-probe", "--threads",   "1",    "--batch",  "1"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return spillway(arguments);
}

std::vector<std::string> names(const std::string& family) {
  const Json all = Json::parse(spillway({"list", family, "--json", "-"}).out);
  std::vector<std::string> list;
  for (const Json& entry : all[family]) {
    list.push_back(entry["name"]);
  }
  return list;
}

// The path of a model that is there, or the name of one of the references.
std::string model_of(const std::string& model, const TemporaryDirectory& scratch) {
  return model == kBundled ? model : unpack_model(model, scratch.path());
}

class Streaming : public testing::Test {
 protected:
  explicit Streaming(const std::string& model) : model_(model_of(model, scratch_)) {}

  void SetUp() override {
    std::ofstream(tokens_) << "5 17 200 17 133 2 64 128 256 281 3 3 3 270 17 5 8 13 21 34";
    const Ran ran = logits_of(model_, tokens_, scratch_ / "resident", {"--cache", "1GB"});
    ASSERT_EQ(ran.status, 0) << ran.err;
    resident_ = read_file(scratch_ / "resident");
    ASSERT_GT(resident_.size(), 0U);
  }

  void expect_the_same(const std::vector<std::string>& options) {
    const Ran ran = logits_of(model_, tokens_, scratch_ / "streamed", options);
    std::string told;
    for (const std::string& option : options) {
      told += option + ' ';
    }
    SKIP_WHERE_UNAVAILABLE(ran);
    ASSERT_EQ(ran.status, 0) << told << ran.err;
    EXPECT_TRUE(read_file(scratch_ / "streamed") == resident_) << told;
  }

  TemporaryDirectory scratch_;
  std::string model_;
  std::string tokens_ = scratch_ / "tokens";
  std::string resident_;  // the logits when every expert stays in memory once read
};

using ModelAndBackend = std::tuple<std::string, const char*>;

class StreamingByEachBackend : public Streaming, public testing::WithParamInterface<ModelAndBackend> {
 protected:
  StreamingByEachBackend() : Streaming(std::get<0>(GetParam())) {}
};

TEST_P(StreamingByEachBackend, GivesTheLogitsOfTheResidentModelWithEveryCacheSize) {
  for (const char* cache : {"0", "500kB", "3MB"}) {
    expect_the_same({"--backend", std::get<1>(GetParam()), "--cache", cache});
  }
}

std::string short_name(const std::string& model) {
  return model == kBundled ? "Bundled" : model == kHybrid ? "Hybrid" : "EveryType";
}

INSTANTIATE_TEST_SUITE_P(EachModel, StreamingByEachBackend,
                         testing::Combine(testing::Values(kBundled, kHybrid),
                                          testing::Values("uring", "uring:depth=1,direct=0", "pread",
                                                          "pread:direct=1,threads=3", "mmap",
                                                          "mmap:advice=random", "hugepage")),
                         [](const auto& instance) {
                           return short_name(std::get<0>(instance.param)) + "_" +
                                  spelled_as_a_name(std::get<1>(instance.param));
                         });

class StreamingOfEachModel : public Streaming, public testing::WithParamInterface<std::string> {
 protected:
  StreamingOfEachModel() : Streaming(GetParam()) {}
};

TEST_P(StreamingOfEachModel, GivesTheLogitsOfTheResidentModelWithEveryPolicyAndPrefetcher) {
  for (const std::string& policy : names("policies")) {
    if (policy != "belady") {  // needs to know the future
      expect_the_same({"--cache", "1MB", "--evict", policy});
    }
  }
  for (const std::string& prefetcher : names("prefetchers")) {
    if (prefetcher == "oracle") {
      continue;  // needs to know the future
    }
    const bool from_trace = prefetcher == "recorded";
    expect_the_same({"--cache", "1MB", "--prefetch", prefetcher, "--lookahead", from_trace ? "2" : "0"});
  }
}

INSTANTIATE_TEST_SUITE_P(EachModel, StreamingOfEachModel, testing::Values(kBundled, kHybrid),
                         [](const auto& instance) { return short_name(instance.param); });

TEST(Record, GivesTheSameTextWhateverTheThreadsAndTheCache) {
  std::string first;
  for (const std::vector<std::string>& options : std::vector<std::vector<std::string>>{
           {"--threads", "1", "--cache", "1GB"}, {"--threads", "2", "--cache", "200kB", "--batch", "3"}}) {
    std::vector<std::string> arguments = {"record",     "--model",    kBundled,    "--prompt",
                                          "The kernel", "-n",         "24",        "--temperature",
                                          "0.7",        "--no-trace", "--no-probe"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Ran ran = spillway(arguments);
    ASSERT_EQ(ran.status, 0) << ran.err;
    EXPECT_GT(ran.out.size(), 10U);
    EXPECT_EQ(ran.out, first.empty() ? ran.out : first);
    first = ran.out;
  }
}

TEST(Record, WritesATraceWhoseReplayHitsAsOftenAsTheModelDid) {
  const TemporaryDirectory scratch;
  const std::string trace = scratch / "trace.bin";
  const Ran recorded = spillway({"record", "--model", kBundled, "--prompt", "one", "--prompt", "two", "-n",
                                 "20", "--ignore-eos", "--lookahead", "1", "-o", trace, "--cache", "2MB",
                                 "--json", scratch / "live.json", "--no-probe"});
  ASSERT_EQ(recorded.status, 0) << recorded.err;
  const Ran replayed = spillway({"replay", trace, "--store", kBundled, "--compute", "recorded", "--cache",
                                 "2MB", "--no-probe", "--json", "-"});
  ASSERT_EQ(replayed.status, 0) << replayed.err;
  const Json live = Json::parse(read_file(scratch / "live.json"));
  const Json again = Json::parse(replayed.out);
  EXPECT_EQ(live["digest"], again["digest"]);
  EXPECT_EQ(live["phases"]["measured"]["tokens"], 38);  // the last token of each reply is not an input
  EXPECT_EQ(live["phases"]["measured"]["hits"], again["phases"]["measured"]["hits"]);
  EXPECT_EQ(live["live"]["generated_tokens"], 40);
  EXPECT_GT(live["live"]["lookahead"][0]["recall"], 0.3);  // top-8 of 128: 0.06 by chance

  const Json info = Json::parse(spillway({"trace", "info", trace, "--json", "-"}).out);
  EXPECT_EQ(info["sequences"], 2) << info.dump(1);
}

TEST(Record, MarksATraceThatUsedFewerExperts) {
  const TemporaryDirectory scratch;
  const std::string trace = scratch / "trace.bin";
  ASSERT_EQ(spillway({"record", "--model", kBundled, "--prompt", "x", "-n", "4", "--ignore-eos",
                      "--experts-per-token", "3", "-o", trace, "--no-probe"})
                .status,
            0);
  const Ran replayed = spillway({"replay", trace, "--backend", "null", "--cache", "0", "--json", "-"});
  ASSERT_EQ(replayed.status, 0) << replayed.err;
  const Json report = Json::parse(replayed.out);
  EXPECT_EQ(report["trace"]["top_k"], 8);
  EXPECT_EQ(report["trace"]["used_top_k"], 3);
  EXPECT_EQ(report["phases"]["measured"]["accesses"], 3 * 12 * 3);
}

TEST(Record, LeavesATraceThatOpensWhenItIsKilled) {
  const TemporaryDirectory scratch;
  const std::string trace = scratch / "trace.bin";
  Program program({SPILLWAY_BINARY, "record", "--model", kBundled, "--prompt", "x", "-n", "100000",
                   "--ignore-eos", "-o", trace, "--no-probe", "--threads", "1"});
  // Waits until a few blocks are written.
  for (int tries = 0; tries < 1500; ++tries) {
    std::error_code none;
    if (const auto size = std::filesystem::file_size(trace, none); !none && size > 200'000) {
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  program.signal(SIGKILL);
  EXPECT_EQ(program.wait().status, 128 + SIGKILL);
  const Ran info = spillway({"trace", "info", trace, "--json", "-"});
  ASSERT_EQ(info.status, 0) << info.err;
  EXPECT_GT(Json::parse(info.out)["decode_tokens"], 100) << info.out;
}

TEST(Record, RefusesALimitThatTheContextDoesNotFitInto) {
  const Ran ran = spillway({"record", "--model", kBundled, "-p", "x", "--no-trace", "--no-probe", "--context",
                            "100000", "--cache", "2MB", "--memory", "60MB"});
  if (ran.status == 77) {
    GTEST_SKIP() << ran.err;
  }
  expect_one_line(ran, 2, {"--memory 60MB", "context of 100000 tokens", "--context"});
}

// The bundled model keeps 12 layers × 128 values of 2 or 4 bytes for each token.
TEST(Record, RefusesAContextThatNoMemoryHereCouldHold) {
  const auto with = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"record", "--model", kBundled, "-p", "x", "--no-trace", "--no-probe", "--kv"});
    return spillway(more);
  };
  // A large context does no harm, since its memory is taken only as it is used.
  EXPECT_EQ(with({"f32", "--context", "16777216", "-n", "1"}).status, 0);
  uint64_t kilobytes = 0;
  std::istringstream(read_file("/proc/meminfo").substr(std::string("MemTotal:").size())) >> kilobytes;
  ASSERT_GT(kilobytes, 0U);
  if (kilobytes > 100'000'000) {
    GTEST_SKIP() << "this machine could hold 103 GB";
  }
  expect_one_line(with({"f32", "-n", "16777216"}), 2,
                  {"--tokens 16777216", "103 GB", "resident weights", "of memory"});
}

TEST(Record, RefusesInOneLineWhatCannotWork) {
  const TemporaryDirectory scratch;
  std::ofstream(scratch / "not.gguf") << "GGUF";
  std::ofstream(scratch / "ids") << "1 2 99999999";
  const std::vector<std::string> good = {"record", "--model", kBundled, "--prompt", "x"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), good.begin(), good.end());
    return more;
  };
  const std::vector<std::pair<int, std::vector<std::string>>> wrong = {
      {2, good},                                                // neither -o nor --no-trace
      {2, with({"--no-trace", "-o", scratch / "t"})},           // both
      {2, {"record", "--model", kBundled, "--no-trace"}},       // no prompt
      {2, with({"--no-trace", "--logits", scratch / "l"})},     // logits without token ids
      {2, with({"--no-trace", "--context", "4"})},              // too short
      {2, with({"--no-trace", "--experts-per-token", "129"})},  // more than there are
      {2, with({"--no-trace", "--evict", "belady"})},           // a live model knows no future
      {2, with({"--no-trace", "--backend", "null"})},           // no bytes to compute with
      {2, with({"--no-trace", "--cache", "10kB"})},             // less than a step
      {2, with({"--no-trace", "--prefetch", "router:ahead=0"})},
      {1, with({"-o", scratch / "no/such/directory/t"})},
      {1, {"record", "--model", scratch / "absent", "--prompt", "x", "--no-trace"}},
      {1, {"record", "--model", scratch / "not.gguf", "--prompt", "x", "--no-trace"}},
      {1, {"record", "--model", kBundled, "--token-ids", scratch / "ids", "--no-trace"}},
      {1, {"record", "--model", kBundled, "--prompt-file", scratch / "absent", "--no-trace"}}};
  for (const auto& [status, arguments] : wrong) {
    const Ran ran = spillway(arguments);
    EXPECT_EQ(ran.status, status) << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
    EXPECT_EQ(ran.out, "");
  }
}

TEST(Record, KeepsThePeakOfMemoryToWeightsContextCacheAndLittleMore) {
  const TemporaryDirectory scratch;
  const Ran ran = spillway({"record", "--model", kBundled, "--prompt", "x", "-n", "8", "--no-trace",
                            "--no-probe", "--cache", "4MB", "--json", scratch / "report.json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json report = Json::parse(read_file(scratch / "report.json"));
  constexpr double kBeside = 150e6;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers take memory of their own";
#endif
  EXPECT_LT(report["live"]["peak_memory_bytes"].get<double>(),
            report["live"]["resident_bytes"].get<double>() + report["live"]["context_bytes"].get<double>() +
                4e6 + kBeside);
}

std::string sha256_of(const std::string& file) {
  std::FILE* pipe = popen(("sha256sum '" + file + "'").c_str(), "r");
  std::string sum(64, '?');
  const bool read = pipe != nullptr && std::fread(sum.data(), 1, sum.size(), pipe) == sum.size();
  return pipe != nullptr && pclose(pipe) == 0 && read ? sum : "none";
}

// Expects `file`, the model that perplexity.json calls `name`, to have llama.cpp's perplexity.
void expect_llamas_perplexity(const std::string& file, const std::string& name) {
  const Json truth = Json::parse(read_file(SPILLWAY_SOURCE_DIR "/tests/oracle/perplexity.json"));
  const auto& references = truth["references"];
  const auto reference = std::find_if(references.begin(), references.end(), [&](const Json& candidate) {
    return candidate["model"].get<std::string>().ends_with(name);
  });
  ASSERT_NE(reference, references.end()) << "perplexity.json has no figure for " << name;
  ASSERT_EQ(sha256_of(file), (*reference)["model_sha256"]) << "llama.cpp measured another file";
  const Ran ran =
      spillway({"perplexity", "--model", file, "--file", SPILLWAY_SOURCE_DIR "/tests/oracle/perplexity.txt",
                "--kv", "f32", "--no-probe", "--json", "-"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json ours = Json::parse(ran.out)["perplexity"];
  const double theirs = (*reference)["perplexity"];
  EXPECT_NEAR(ours["value"], theirs, 0.005 * theirs);
  const double error = (*reference)["standard_error"];
  EXPECT_NEAR(ours["standard_error"], error, 0.01 * error);
  EXPECT_EQ(ours["scored_tokens"], (*reference)["scored_tokens"]);
}

TEST(Perplexity, AgreesWithLlamaCpp) {
  expect_llamas_perplexity(kBundled, "tiny-moe-q4_0.gguf");
}

// Shows that llama.cpp reads the files that `quantize` writes, and computes the same numbers from them. The
// bundled model's rows become Q4_0; the experts of the other model, which have twelve types, become Q4_K and
// Q2_K unless they had fewer bits.
class PerplexityOfWhatQuantizeMade : public testing::TestWithParam<std::string> {};

TEST_P(PerplexityOfWhatQuantizeMade, AgreesWithLlamaCpp) {
  const TemporaryDirectory scratch;
  const std::filesystem::path model = model_of(GetParam(), scratch);
  const std::string made = scratch / "made.gguf";
  const Ran ran = spillway({"quantize", model, made, "--rule", "static:2,4"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  expect_llamas_perplexity(made, model.filename().string() + ", quantized by static:2,4");
}

INSTANTIATE_TEST_SUITE_P(EachModel, PerplexityOfWhatQuantizeMade, testing::Values(kBundled, kEveryType),
                         [](const auto& instance) { return short_name(instance.param); });

}  // namespace
}  // namespace spillway::test
