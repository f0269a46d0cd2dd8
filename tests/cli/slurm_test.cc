#include "tests/support/sweep_lab.h"

namespace spillway::test {
namespace {

class Slurm : public SweepLab {};

// Runs on a Slurm cluster of one node, which the script starts and stops.
TEST_F(Slurm, ArrayOfShardsIsTheWholeSweep) {
  const std::string file = write(small_experiment());
  ASSERT_EQ(sweep(file, scratch_ / "whole").status, 0);
  ::setenv("SPILLWAY", SPILLWAY_BINARY, 1);
  const std::string root = SPILLWAY_SOURCE_DIR;
  const Ran ran = Program({root + "/tests/cli/one_node_slurm", "sbatch", "--wait", "--array=1-3",
                           "--output=" + scratch_.path() + "/task-%a.log", root + "/experiments/slurm-array",
                           file, "-o", scratch_ / "shared"})
                      .wait();
  if (ran.status == 77) {
    GTEST_SKIP() << ran.err;
  }
  std::string logs;
  for (const char* task : {"1", "2", "3"}) {
    logs += read_file(scratch_ / ("task-" + std::string(task) + ".log"));
  }
  ASSERT_EQ(ran.status, 0) << ran.err << logs;
  const std::map<std::string, Json> results = results_in(scratch_ / "shared");
  EXPECT_EQ(lasting(results), lasting(results_in(scratch_ / "whole")));
  std::map<std::string, size_t> shards;
  for (const auto& [name, result] : results) {
    ++shards[result["shard"]];
  }
  EXPECT_EQ(shards.size(), 3U) << logs;
}

}  // namespace
}  // namespace spillway::test
