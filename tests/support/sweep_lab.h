#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "core/json.h"
#include "tests/support/program.h"

// Small experiments to sweep, and helpers to compare their results with those of another time.
namespace spillway::test {

class SweepLab : public testing::Test {
 protected:
  // 4 layers of 16 experts of 64 KiB, top-4, with two cache sizes × two policies, each twice: 8 runs
  // in virtual time.
  static Json small_experiment() {
    return Json::parse(R"({
      "schema": "spillway.experiment/1",
      "question": "Which policy hits more?",
      "let": {"tokens": 40},
      "make": [{"command": "trace synth", "layers": 4, "experts": 16, "top-k": 4, "expert-bytes": "64KiB",
                "tokens": "{tokens}", "seed": 7, "output": "{made}/trace.bin", "force": true}],
      "base": {"command": "simulate", "trace": "{made}/trace.bin", "device": "linear",
               "seed": "{repetition}"},
      "sweep": {"cache": ["512KiB", {"label": "large", "cache": "2MiB"}], "evict": ["lru", "random"]},
      "repetitions": 2,
      "plot": {"kind": "bars", "x": "cache", "y": ["hit_ratio"], "series": "evict"},
      "quick": {"sweep": {"evict": ["lru"]}, "repetitions": 1}
    })");
  }

  std::string write(const Json& experiment, const std::string& name = "experiment.json") const {
    std::ofstream(scratch_ / name) << experiment.dump(2);
    return scratch_ / name;
  }

  static Ran sweep(const std::string& file, const std::string& directory,
                   std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"sweep", file, "-o", directory};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return spillway(arguments);
  }

  // Returns the results of a folder by name.
  static std::map<std::string, Json> results_in(const std::string& directory) {
    std::map<std::string, Json> results;
    for (const auto& entry : std::filesystem::directory_iterator(directory + "/points")) {
      EXPECT_EQ(entry.path().extension(), ".json") << entry.path() << " was left behind";
      results[entry.path().stem()] = Json::parse(read_file(entry.path()));
    }
    return results;
  }

  // Removes everything that differs on another day or in another folder.
  static std::map<std::string, Json> lasting(std::map<std::string, Json> results) {
    for (auto& [name, result] : results) {
      for (const char* key : {"command", "date", "host", "shard", "wall_s"}) {
        result.erase(key);
      }
      if (result["result"].is_object()) {
        result["result"].erase("run");
        result["result"]["trace"].erase("path");
      }
    }
    return results;
  }

  static size_t count_results(const std::string& directory) {
    std::error_code not_there_yet;
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory + "/points", not_there_yet)) {
      count += entry.path().extension() == ".json" ? 1 : 0;
    }
    return count;
  }

  static void expect_schema(const std::string& schema, const std::string& document) {
    const Ran ran = Program({"/usr/bin/env", "python3", SPILLWAY_SOURCE_DIR "/tests/cli/check_schema.py",
                             SPILLWAY_SOURCE_DIR "/share/schema/" + schema, document})
                        .wait();
    if (ran.err.find("No module named") != std::string::npos || ran.status == 127) {
      GTEST_SKIP() << "python3-jsonschema is not installed";
    }
    EXPECT_EQ(ran.status, 0) << document << ": " << ran.err;
  }

  TemporaryDirectory scratch_;
};

}  // namespace spillway::test
