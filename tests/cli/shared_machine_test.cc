#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "core/json.h"
#include "tests/support/program.h"
#include "tests/support/silent_drive.h"

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
  const auto replay = [&](const std::string& place) {
    return spillway({"replay", trace, "--cache", "512KiB", "--no-probe", "--backend", "pread", "--json", json,
                     "--store", place});
  };
  const Ran made = replay(inside);
  ASSERT_EQ(made.status, 0) << made.err;
  std::string store;
  for (const auto& entry : std::filesystem::directory_iterator(inside)) {
    store = entry.path().extension() == ".store" ? entry.path().string() : store;
  }
  ASSERT_FALSE(store.empty());
  const std::string renamed = inside + "/" + GetParam() + ".store";
  std::filesystem::rename(store, renamed);
  const Ran ran = replay(renamed);
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NO_THROW(Json::parse(read_file(json)));
  // An error that names the path is one line, whatever the path is.
  std::filesystem::resize_file(renamed, 100);
  expect_one_line(replay(renamed), 1, {".store"});
}

INSTANTIATE_TEST_SUITE_P(names, OddPath,
                         testing::Values("Samsung 990 PRO, 2TB", "a,\nb", "[x,y]", "it's \"quoted\"",
                                         "\xff\x1b[31m,\\", " begins with a blank,"),
                         [](const auto& name) { return "name_" + std::to_string(name.index); });

TEST(SharedMachine, a_run_that_was_stopped_says_for_how_long) {
  const TemporaryDirectory folder;
  const std::string trace = folder / "t.bin";
  ASSERT_EQ(spillway({"trace", "synth", "-o", trace, "--layers", "4", "--experts", "8", "--top-k", "2",
                      "--tokens", "50", "--expert-bytes", "64KiB"})
                .status,
            0);
  const std::vector<std::string> words = {SPILLWAY_BINARY, "replay",      trace,    "--cache",        "1MiB",
                                          "--no-probe",    "--backend",   "pread",  "--compute",      "12ms",
                                          "--store",       folder.path(), "--json", folder / "r.json"};
  Program program(words);
  // Each of the 50 tokens takes 12 ms and more.
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  program.signal(SIGSTOP);
  std::this_thread::sleep_for(std::chrono::milliseconds(1000));
  program.signal(SIGCONT);
  const Ran ran = program.wait();
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json report = Json::parse(read_file(folder / "r.json"));
  if (report["phases"]["measured"]["latency"]["max_ns"] < 900'000'000) {
    GTEST_SKIP() << "the run had not begun, or had ended before it was stopped";
  }
  EXPECT_NEAR(double(report["io"]["stopped_ns"]), 1e9, 0.3e9);
  EXPECT_NE(ran.out.find("did not run for"), std::string::npos) << ran.out;
}

TEST(SharedMachine, a_drive_that_dies_is_named_and_one_ctrl_c_keeps_what_ran_before) {
  const TemporaryDirectory folder;
  const std::string trace = folder / "t.bin";
  ASSERT_EQ(spillway({"trace", "synth", "-o", trace, "--layers", "4", "--experts", "16", "--top-k", "2",
                      "--tokens", "100", "--expert-bytes", "256KiB"})
                .status,
            0);
  const std::vector<std::string> run = {"replay",     trace,    "--cache",         "2MiB",
                                        "--no-probe", "--json", folder / "r.json", "--backend",
                                        "pread",      "--store"};
  const auto on = [&run](const std::string& place) {
    std::vector<std::string> words = run;
    words.insert(words.begin(), SPILLWAY_BINARY);
    words.push_back(place);
    return words;
  };
  ASSERT_EQ(Program(on(folder.path())).wait().status, 0);
  std::string store;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    store = entry.path().extension() == ".store" ? entry.path().string() : store;
  }
  const std::string mounted = folder / "mounted";
  std::filesystem::create_directory(mounted);
  // The last expert of the last layer is never there.
  const SilentDrive drive(mounted, store, std::filesystem::file_size(store) - (256 << 10));
  if (!drive.mounted()) {
    GTEST_SKIP() << "this user cannot mount a file system of its own (FUSE) here";
  }
  Program program(on(drive.file()));
  std::string said;
  for (int i = 0; i < 150 && said.empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    said = program.errors_so_far();
  }
  EXPECT_NE(said.find(drive.file()), std::string::npos) << said;
  EXPECT_NE(said.find("have not come for 5."), std::string::npos) << said;
  program.signal(SIGINT);
  const Ran ran = program.wait();
  EXPECT_GT(ran.status, 0);
  EXPECT_LT(ran.status, 128) << "it was killed";
  const Json report = Json::parse(read_file(folder / "r.json"));
  EXPECT_EQ(report["run"]["interrupted"], true);
  EXPECT_GT(double(report["phases"]["measured"]["tok_per_s"]), 0);
  EXPECT_NE(report["warnings"].dump().find("have not come for"), std::string::npos) << report["warnings"];
}

// A btrfs file system in a file, mounted in `folder`.
class Btrfs {
 public:
  explicit Btrfs(const std::string& folder) : where_(folder + "/mounted") {
    const std::string image = folder + "/image";
    write_file(image, "");
    std::filesystem::resize_file(image, uint64_t(1) << 30);
    std::filesystem::create_directory(where_);
    mounted_ = ran_well({on_path("mkfs.btrfs"), "-q", image}) &&
               ran_well({on_path("mount"), "-o", "loop", image, where_});
  }
  ~Btrfs() {
    if (mounted_) {
      ran_well({on_path("umount"), where_});
    }
  }
  Btrfs(const Btrfs&) = delete;
  Btrfs& operator=(const Btrfs&) = delete;

  bool mounted() const { return mounted_; }
  const std::string& where() const { return where_; }

 private:
  static bool ran_well(const std::vector<std::string>& words) {
    return !words.front().empty() && Program(words).wait().status == 0;
  }

  std::string where_;
  bool mounted_ = false;
};

TEST(SharedMachine, a_drive_with_checksums_is_measured_and_replayed_from) {
  if (::geteuid() != 0 || on_path("mkfs.btrfs").empty()) {
    GTEST_SKIP() << "only root can mount, and mkfs.btrfs (btrfs-progs) must be there";
  }
  const TemporaryDirectory folder;
  const Btrfs btrfs(folder.path());
  if (!btrfs.mounted()) {
    GTEST_SKIP() << "this machine cannot mount a btrfs file system from a file";
  }
  const std::string trace = folder / "t.bin";
  ASSERT_EQ(spillway({"trace", "synth", "-o", trace, "--layers", "2", "--experts", "16", "--top-k", "4",
                      "--tokens", "8", "--expert-bytes", "2MiB"})
                .status,
            0);
  for (const char* cache : {"16MiB", "0"}) {
    const Ran replay = spillway(
        {"replay", trace, "--cache", cache, "--backend", "pread:direct=1", "--store", btrfs.where()});
    EXPECT_EQ(replay.status, 0) << replay.err;
    EXPECT_EQ((replay.out + replay.err).find("could not be probed"), std::string::npos)
        << replay.out << replay.err;
  }
  std::string store;
  for (const auto& entry : std::filesystem::directory_iterator(btrfs.where())) {
    store = entry.path().string();
  }
  for (const char* method : {"uring", "pread:direct=1,threads=64"}) {
    const Ran ran = spillway({"calibrate", store, "-o", folder / "c.json", "--method", method, "--block",
                              "256KiB,1MiB", "--depth", "8,64", "--time", "1s", "--rounds", "1"});
    if (ran.status != 77) {
      EXPECT_EQ(ran.status, 0) << ran.err;
    }
  }
}

}  // namespace
}  // namespace spillway::test
