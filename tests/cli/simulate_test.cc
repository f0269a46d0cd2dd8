// Tests simulate, calibrate and gap as a user runs them.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <regex>

#include "core/json.h"
#include "tests/support/program.h"
#include "tests/support/recorded.h"

namespace spillway::test {
namespace {

class SimulateCli : public testing::Test {
 protected:
  void SetUp() override {
    const Ran made =
        spillway({"trace", "synth", "--layers", "6", "--experts", "16", "--top-k", "3", "--expert-bytes",
                  "400kB", "--tokens", "60", "--skew", "0.8", "--reuse", "0.3", "-o", trace_});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  Json run(std::vector<std::string> words) {
    words.insert(words.end(), {"--json", "-"});
    const Ran ran = spillway(words);
    EXPECT_EQ(ran.status, 0) << ran.err;
    return ran.status == 0 ? Json::parse(ran.out) : Json();
  }

  double tok_per_s(const std::string& device) {
    return run({"simulate", trace_, "--device", device, "--cache", "8MB"})["phases"]["measured"]["tok_per_s"];
  }

  // A profile of a drive of 100 µs and 1 GB/s that serves one request after another.
  std::string serial_profile(const std::string& name = "serial.json") {
    Json points = Json::array();
    for (const uint64_t block : {4096U, 262144U, 1048576U}) {
      for (const uint32_t depth : {1U, 4U, 16U}) {
        const double alone = 100e3 + double(block);
        Json quantiles = Json::object();
        for (const char* share : {"0", "0.1", "0.5", "0.9", "0.95", "0.99", "0.999", "1"}) {
          quantiles[share] = alone * depth;
        }
        points.push_back({{"block_bytes", block},
                          {"depth", depth},
                          {"bytes_per_s", 1e9 * double(block) / alone},
                          {"bytes_per_s_low", 1e9 * double(block) / alone},
                          {"bytes_per_s_high", 1e9 * double(block) / alone},
                          {"mean_latency_ns", alone * depth},
                          {"latency_quantiles_ns", quantiles},
                          {"cpu_s_per_gb", 0.01},
                          {"requests", 100}});
      }
    }
    const Json method = {{"name", "uring"},  {"backend", "uring:depth=64"}, {"depth", 64}, {"alignment", 512},
                         {"random", points}, {"sequential", Json::array()}};
    const Json profile = {
        {"schema", "spillway.device/1"},
        {"name", "by hand"},
        {"source", "a test"},
        {"device", ""},
        {"date", ""},
        {"burst_bytes_per_s", 0},
        {"sustained_bytes_per_s", 0},
        {"copy_bytes_per_s", 1e10},
        {"noise", 0},
        {"fits",
         {{{"model", "linear"}, {"spec", "linear:bandwidth=1GB/s,latency=100us"}, {"median_error", 0.01}}}},
        {"methods", {method}}};
    const std::string path = scratch_ / name;
    std::ofstream(path) << profile.dump();
    return path;
  }

  TemporaryDirectory scratch_;
  std::string trace_ = scratch_ / "trace.bin";
};

TEST_F(SimulateCli, runs_on_a_profile_as_on_the_drive_it_describes) {
  // 400 kB take 100 µs + 400 µs, one read after another. A linear drive without latency at 0.8
  // GB/s takes as long.
  const double table = tok_per_s(serial_profile());
  const double same = tok_per_s("linear:bandwidth=800MB/s,latency=0ns");
  EXPECT_NEAR(table / same, 1, 0.03);
}

TEST_F(SimulateCli, computes_nothing_before_a_drive_that_tells_of_all_reads_at_once_has_told) {
  const std::string usual = serial_profile();
  const std::string late = scratch_ / "late.json";
  Json profile = Json::parse(read_file(usual));
  profile["methods"][0]["tells_all_at_once"] = true;
  std::ofstream(late) << profile.dump();
  const auto simulated = [&](const std::string& device, const std::string& compute) {
    return run({"simulate", trace_, "--device", device, "--cache", "2MB", "--compute", compute});
  };
  const auto time = [](const Json& report) { return 1 / double(report["phases"]["measured"]["tok_per_s"]); };
  EXPECT_DOUBLE_EQ(time(simulated(late, "none")), time(simulated(usual, "none")));
  // Computing takes half of each expert's 400 us. It is hidden except for the last expert of a
  // layer, or not at all.
  EXPECT_GT(time(simulated(late, "1ms")), 1.05 * time(simulated(usual, "1ms")));
  EXPECT_NE(simulated(late, "1ms")["config"].dump().find("reported only when all are read"),
            std::string::npos);
}

TEST_F(SimulateCli, runs_on_the_model_that_was_fitted_to_a_profile) {
  // The two agree except for the bytes that rounding to the profile's alignment adds.
  EXPECT_NEAR(tok_per_s("linear@" + serial_profile()) / tok_per_s("linear:bandwidth=1GB/s,latency=100us"), 1,
              0.01);
}

TEST_F(SimulateCli, stripes_reads_over_as_many_drives_as_it_is_told) {
  const double one = tok_per_s("linear:bandwidth=1GB/s,latency=0ns");
  std::string chunked = "4xlinear:bandwidth=1GB/s,latency=0ns";
  const Json four =
      run({"simulate", trace_, "--device", chunked, "--cache", "8MB", "--stripe-chunk", "4KiB"});
  EXPECT_NEAR(double(four["phases"]["measured"]["tok_per_s"]) / one, 4, 0.1);
}

TEST_F(SimulateCli, says_what_is_wrong_with_a_device) {
  const std::string broken = scratch_ / "broken.json";
  std::ofstream(broken) << R"({"schema": "spillway.device/1", "name": "x"})";
  const std::string other = scratch_ / "other.json";
  std::ofstream(other) << R"({"schema": "spillway.report/1"})";
  const std::string list = scratch_ / "list.json";
  std::ofstream(list) << "[]";
  const std::string profile = serial_profile();
  const auto refused = [&](std::vector<std::string> words, int status, const std::string& mention) {
    std::vector<std::string> all = {"simulate", trace_, "--cache", "8MB"};
    all.insert(all.end(), words.begin(), words.end());
    const Ran ran = spillway(all);
    EXPECT_EQ(ran.status, status) << mention;
    EXPECT_NE(ran.err.find(mention), std::string::npos) << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  };
  refused({"--device", broken}, 1, broken);
  refused({"--device", other}, 1, "not a device profile");
  refused({"--device", list}, 1, "not a device profile");
  refused({"--device", scratch_ / "none.json"}, 1, "none.json");
  refused({"--device", profile, "--method", "mmap"}, 2, "no such access method; it has: uring");
  refused({"--device", "queueing@" + profile}, 2, "has no fit of this model");
  refused({"--device", "table"}, 2, "calibrate");
  refused({"--device", "0xlinear"}, 2, "1 to 64");
  refused({"--device", "9999999999xlinear"}, 2, "1 to 64");
  refused({"--device", "linear", "--method", "uring"}, 2, "--method");
  refused({"--stripe-chunk", "1"}, 2, "--stripe-chunk");
}

TEST_F(SimulateCli, paces_attention_before_the_experts_are_known_and_their_compute_after) {
  // Without a cache and with a drive that takes no time, a layer takes its compute time: 6 × (1 + 2) ms.
  const Json report = run({"simulate", trace_, "--device", "linear:bandwidth=100000GB/s,latency=0ns",
                           "--cache", "8MB", "--compute", "1ms+2ms"});
  EXPECT_NEAR(double(report["phases"]["measured"]["tok_per_s"]), 1000.0 / 18, 0.01);
  EXPECT_EQ(report["config"]["compute"], "1000000ns+2000000ns");
}

TEST_F(SimulateCli, gives_the_same_report_for_the_same_seed) {
  const std::string profile = serial_profile();
  const auto report = [&](const std::string& seed) {
    Json json = run({"simulate", trace_, "--device", profile, "--cache", "8MB", "--seed", seed});
    json.erase("run");
    return json.dump();
  };
  EXPECT_EQ(report("5"), report("5"));
}

TEST_F(SimulateCli, explains_a_simulated_run_without_a_residual) {
  const Json report = run({"gap", trace_, "--device", "linear:bandwidth=1GB/s,latency=100us", "--cache",
                           "8MB", "--compute", "200us+300us"});
  const Json gap = report["gap"]["explained"];
  double sum = gap["seed_s_per_token"];
  for (const Json& bar : gap["bars"]) {
    sum += double(bar["s_per_token"]);
  }
  EXPECT_NEAR(sum + double(gap["residual_s_per_token"]), gap["achieved_s_per_token"], 1e-9);
  EXPECT_NEAR(double(gap["residual_s_per_token"]), 0, 1e-6);
  EXPECT_NEAR(1 / double(gap["achieved_s_per_token"]), report["phases"]["measured"]["tok_per_s"], 1e-6);
}

TEST_F(SimulateCli, explains_the_run_that_simulate_makes_of_the_same_drive) {
  const std::string drive = "2xlinear:bandwidth=500MB/s,latency=100us";
  const std::vector<std::string> choice = {"--device",       drive,    "--cache",  "8MB", "--depth", "2",
                                           "--stripe-chunk", "256KiB", "--ranges", "3"};
  const auto of = [&](const std::string& command, std::vector<std::string> more) {
    std::vector<std::string> words = {command, trace_};
    words.insert(words.end(), choice.begin(), choice.end());
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  };
  for (const std::vector<std::string>& cache :
       {std::vector<std::string>(), {"--page-cache", "20MB", "--read-ahead", "128KiB"}}) {
    const Json simulated = of("simulate", cache);
    const Json explained = of("gap", cache);
    EXPECT_EQ(explained["phases"]["measured"]["tok_per_s"], simulated["phases"]["measured"]["tok_per_s"]);
    EXPECT_EQ(explained["config"]["device"], simulated["config"]["device"]);
    const Json gap = explained["gap"]["explained"];
    EXPECT_NEAR(double(gap["residual_s_per_token"]), 0, 1e-6);
    const bool names_it = gap["bars"].dump().find("the page cache takes") != std::string::npos;
    EXPECT_EQ(names_it, !cache.empty());
  }
  expect_one_line(spillway({"gap", trace_, "--cache", "8MB", "--depth", "2"}), 2, {"--device"});
  expect_one_line(spillway({"gap", trace_, "--cache", "8MB", "--throttle", "1GB/s"}), 2,
                  {"--throttle", "bucket:bandwidth=1GB/s"});
}

// The trace's 38 MB of experts fit into the page cache, and each expert is read from the drive only once.
TEST_F(SimulateCli, says_why_a_run_behind_a_page_cache_is_faster_than_its_ceilings) {
  const std::string drive = "linear:bandwidth=500MB/s,latency=100us";
  for (const char* command : {"simulate", "gap"}) {
    SCOPED_TRACE(command);
    std::vector<std::string> words = {command, trace_, "--device", drive, "--cache", "0"};
    const Json alone = run(words);
    EXPECT_TRUE(alone["io"]["device_bytes"].is_null());
    EXPECT_TRUE(alone["warnings"].empty()) << alone["warnings"];

    words.insert(words.end(), {"--page-cache", "100MB"});
    const Json cached = run(words);
    EXPECT_GT(cached["gap"]["share_of_policy_ceiling"], 1.5);
    EXPECT_GT(cached["io"]["from_ram_share"], 0.5);
    ASSERT_EQ(cached["warnings"].size(), 1U);
    EXPECT_NE(cached["warnings"].dump().find("exceed 100 %"), std::string::npos);
    const std::string table = spillway(words).out;
    EXPECT_NE(table.find("\n  from RAM        part of the bytes came from RAM"), std::string::npos) << table;
    EXPECT_NE(table.find("NOT COLD: asked for"), std::string::npos) << table;

    // Read-ahead bytes come from the drive as well, and may exceed the bytes that RAM serves.
    words.insert(words.end(), {"--read-ahead", "16MiB", "--tokens", "2"});
    EXPECT_NE(run(words)["warnings"].dump().find("the ceilings count the drive alone"), std::string::npos);
  }
}

TEST_F(SimulateCli, takes_a_limit_that_saves_up_for_what_it_gives_in_the_long_run) {
  // 20 ms of 100 MB/s are 2 MB, more than one layer's experts and far less than the run reads.
  const Json gap = run({"gap", trace_, "--cache", "8MB", "--device",
                        "bucket:bandwidth=100MB/s,burst=20ms,link=10GB/s,latency=0ns"});
  EXPECT_NEAR(double(gap["gap"]["drive_bytes_per_s"]), 100e6, 1e6);
}

TEST_F(SimulateCli, calibrates_a_drive_into_a_profile_that_simulate_takes) {
  const std::string profile = scratch_ / "drive.json";
  const Ran ran =
      spillway({"calibrate", scratch_.path(), "-o", profile, "--size", "64MiB", "--time", "8s", "--rounds",
                "2", "--method", "pread:direct=1", "--block", "4KiB,256KiB,1MiB", "--depth", "1,2,8"});
  if (ran.status != 0 && (ran.err.find("came from a drive") != std::string::npos || ran.status == 77)) {
    GTEST_SKIP() << ran.err;
  }
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json json = Json::parse(read_file(profile));
  ASSERT_EQ(json["methods"].size(), 1U);
  EXPECT_TRUE(json["methods"][0]["tells_all_at_once"].is_boolean());
  const Json points = json["methods"][0]["random"];
  ASSERT_EQ(points.size(), 9U);
  for (const Json& point : points) {
    const double rate = point["bytes_per_s"];
    EXPECT_GT(rate, 0);
    EXPECT_LE(double(point["bytes_per_s_low"]), rate);
    EXPECT_GE(double(point["bytes_per_s_high"]), rate);
    EXPECT_GT(double(point["mean_latency_ns"]), 0);
  }
  ASSERT_EQ(json["verdicts"].size(), 3U);  // one for each --block
  EXPECT_EQ(json["verdicts"][2]["expert_bytes"], 1048576);
  EXPECT_GT(double(json["verdicts"][2]["bytes_per_s"]), 0);
  EXPECT_NE(ran.out.find("for experts of 1MiB: pread:direct=1 with "), std::string::npos) << ran.out;
  EXPECT_GT(tok_per_s(profile), 0);
  // The file that the command made for its reads is gone.
  for (const auto& entry : std::filesystem::directory_iterator(scratch_.path())) {
    EXPECT_NE(entry.path().extension(), ".store") << entry.path();
  }
}

TEST_F(SimulateCli, calibrates_within_the_time_that_it_is_given) {
  const std::string file = scratch_ / "data";
  write_file(file, std::string(size_t(64) << 20, 'x'));
  const auto start = std::chrono::steady_clock::now();
  const Ran ran = spillway({"calibrate", file, "-o", scratch_ / "p.json", "--time", "3s"});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  if (ran.status != 0 && (ran.err.find("came from a drive") != std::string::npos || ran.status == 77)) {
    GTEST_SKIP() << ran.err;
  }
  ASSERT_EQ(ran.status, 0) << ran.err;
  // Of the 138 default loads, each measured five times, those fit that tell most; all of them take over a
  // minute. On a busy machine the loads that were begun may take longer than planned.
  EXPECT_LT(took.count(), 30);
  EXPECT_NE(ran.err.find("--time"), std::string::npos) << ran.err;
  EXPECT_NE(ran.out.find("for experts of 4MiB: "), std::string::npos) << ran.out;
}

TEST_F(SimulateCli, refuses_to_calibrate_what_is_not_there_or_makes_no_sense) {
  const auto refused = [&](std::vector<std::string> words, const std::string& mention) {
    std::vector<std::string> all = {"calibrate", "-o", scratch_ / "p.json"};
    all.insert(all.end(), words.begin(), words.end());
    const Ran ran = spillway(all);
    EXPECT_NE(ran.status, 0) << mention;
    EXPECT_NE(ran.err.find(mention), std::string::npos) << ran.err;
    EXPECT_FALSE(std::filesystem::exists(scratch_ / "p.json"));
  };
  refused({scratch_ / "nowhere"}, "nowhere");
  refused({trace_, "--method", "uring", "--time", "1s"}, "too small");
  refused({trace_, "--time", "fast"}, "--time");
  refused({trace_, "--block", "0"}, "--block");
  refused({trace_, "--depth", "0"}, "--depth");
  refused({trace_, "--method", "floppy"}, "floppy");
}

// Two published runs on a phone, simulated from the published rate of its hot flash and the published compute
// time. The compute time is divided in proportion to the bytes of attention and experts in the trace's
// header. Nothing is fitted.
TEST(Phones, are_simulated_within_fifteen_percent) {
  const TemporaryDirectory scratch;
  struct Phone {
    const char* name;
    double tok_per_s;
  };
  for (const Phone& phone : {Phone{"bigmoe-qwen", 5.657}, Phone{"bigmoe-gemma", 4.971}}) {
    SPILLWAY_NEEDS_RECORDED(std::string(phone.name) + ".route.csv");
    const std::string stem = recorded(phone.name);
    const std::string route = read_file(stem + ".route.csv");
    const std::string metrics = read_file(stem + ".metrics.csv");
    std::smatch match;
    ASSERT_TRUE(std::regex_search(metrics, match, std::regex(R"(compute_s/tok=([\d.]+))")));
    const double compute_s = std::stod(match[1]);
    double experts = 0;
    double dense = 0;
    int layers = 0;
    const std::regex layer(R"(# layer=\d+ expert_bytes=(\d+) dense_bytes=(\d+))");
    const std::string head = route.substr(0, 20'000);
    for (std::sregex_iterator at(head.begin(), head.end(), layer), end; at != end; ++at, ++layers) {
      experts += 6 * std::stod((*at)[1]);
      dense += std::stod((*at)[2]);
    }
    ASSERT_GT(layers, 0);
    const double layer_us = 1e6 * compute_s / layers;
    const std::string compute = std::to_string(std::lround(layer_us * dense / (dense + experts))) + "us+" +
                                std::to_string(std::lround(layer_us * experts / (dense + experts))) + "us";
    const std::string trace = scratch / phone.name;
    ASSERT_EQ(spillway({"trace", "import", stem + ".route.csv", "-o", trace}).status, 0);
    const Ran ran = spillway({"simulate", trace, "--device", "linear:bandwidth=1645MiB/s,latency=100us",
                              "--cache", "4000MiB", "--compute", compute, "--json", "-"});
    ASSERT_EQ(ran.status, 0) << ran.err;
    const double simulated = Json::parse(ran.out)["phases"]["measured"]["tok_per_s"];
    EXPECT_NEAR(simulated / phone.tok_per_s, 1, 0.15) << phone.name << " " << compute;
  }
}

}  // namespace
}  // namespace spillway::test
