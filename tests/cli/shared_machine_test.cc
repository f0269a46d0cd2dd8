#include <gtest/gtest.h>

#include <filesystem>

#include "core/json.h"
#include "tests/support/program.h"

// The machine as it is shared out, and paths as people have them.
namespace spillway::test {
namespace {

const std::string kTinyModel = SPILLWAY_SOURCE_DIR "/bundled/tiny-moe-q4_0.gguf";

std::string on_path(const std::string& tool) {
  for (const char* folder : {"/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/"}) {
    if (::access((folder + tool).c_str(), X_OK) == 0) {
      return folder + tool;
    }
  }
  return "";
}

TEST(SharedMachine, threads_are_as_many_as_the_processors_that_the_process_is_bound_to) {
  const std::string taskset = on_path("taskset");
  if (taskset.empty()) {
    GTEST_SKIP() << "there is no taskset";
  }
  const TemporaryDirectory folder;
  const std::string trace = folder / "t.bin";
  const Ran record = Program({taskset, "-c", "0", SPILLWAY_BINARY, "record", "--model", kTinyModel, "-p",
                              "Hi", "--raw", "-n", "2", "--no-probe", "--backend", "pread", "-o", trace})
                         .wait();
  ASSERT_EQ(record.status, 0) << record.err;
  const Ran info = spillway({"trace", "info", trace});
  EXPECT_NE(info.out.find("threads"), std::string::npos) << info.out;
  const std::string line = info.out.substr(info.out.find("threads"));
  EXPECT_EQ(line.substr(0, line.find('\n')).back(), '1') << line;
}

class OddPath : public testing::TestWithParam<const char*> {};

// One file and the folder that it is in have the odd name.
TEST_P(OddPath, replays_a_store_of_that_name_and_reports_it) {
  const TemporaryDirectory folder;
  const std::string inside = folder / GetParam();
  std::filesystem::create_directory(inside);
  const std::string trace = inside + "/t,\n1.bin";
  ASSERT_EQ(spillway({"trace", "synth", "-o", trace, "--layers", "2", "--experts", "8", "--top-k", "2",
                      "--tokens", "4", "--expert-bytes", "64KiB"})
                .status,
            0);
  const std::string json = inside + "/r.json";
  const std::vector<std::string> run = {"replay", trace,    "--cache", "512KiB",  "--no-probe", "--backend",
                                        "pread",  "--json", json,      "--force", "--store"};
  for (const std::string& place : {inside, inside}) {
    std::vector<std::string> words = run;
    words.push_back(place);
    const Ran ran = spillway(words);
    ASSERT_EQ(ran.status, 0) << ran.err;
  }
  std::string store;
  for (const auto& entry : std::filesystem::directory_iterator(inside)) {
    store = entry.path().extension() == ".store" ? entry.path().string() : store;
  }
  ASSERT_FALSE(store.empty());
  const std::string renamed = inside + "/" + GetParam() + ".store";
  std::filesystem::rename(store, renamed);
  std::vector<std::string> words = run;
  words.push_back(renamed);
  const Ran ran = spillway(words);
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NO_THROW(Json::parse(read_file(json)));
  // An error that names the path is one line, whatever the path is.
  std::filesystem::resize_file(renamed, 100);
  expect_one_line(spillway(words), 1, {".store"});
}

INSTANTIATE_TEST_SUITE_P(names, OddPath,
                         testing::Values("Samsung 990 PRO, 2TB", "a,\nb", "[x,y]", "it's \"quoted\"",
                                         "\xff\x1b[31m,\\", " begins with a blank,"),
                         [](const auto& name) { return "name_" + std::to_string(name.index); });

}  // namespace
}  // namespace spillway::test
