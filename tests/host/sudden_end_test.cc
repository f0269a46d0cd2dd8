#include "host/sudden_end.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/program.h"

namespace spillway {
namespace {

namespace fs = std::filesystem;

void end_suddenly(int) {
  take_end_steps();
  _exit(3);
}

// Starts a process that calls `prepare` and then gets a signal.
template <class Prepare>
int status_after_signal(Prepare prepare) {
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGUSR1, end_suddenly);
    prepare([] { raise(SIGUSR1); });
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(SuddenEnd, RemovesFilesAndDirectoriesInTheOrderGiven) {
  const test::TemporaryDirectory directory;
  const std::string inner = directory / "inner";
  const std::string note = directory / "note";
  fs::create_directory(inner);
  std::ofstream(inner + "/file") << "half";
  std::ofstream(note) << "";
  const int status = status_after_signal([&](auto signal) {
    const OnSuddenEnd undo({{EndStep::Kind::unlink, inner + "/file"},
                            {EndStep::Kind::rmdir, inner},
                            {EndStep::Kind::unlink, directory / "was never there"},
                            {EndStep::Kind::write, note, "gone"}});
    signal();
  });
  EXPECT_EQ(status, 3);
  EXPECT_FALSE(fs::exists(inner));
  EXPECT_EQ(test::read_file(note), "gone");
}

TEST(SuddenEnd, LeavesAloneWhatIsNoLongerWatched) {
  const test::TemporaryDirectory directory;
  const std::string kept = directory / "kept";
  const std::string half = directory / "half";
  std::ofstream(kept) << "whole";
  std::ofstream(half) << "half";
  const int status = status_after_signal([&](auto signal) {
    { const OnSuddenEnd ended({{EndStep::Kind::unlink, kept}}); }
    OnSuddenEnd first({{EndStep::Kind::unlink, half}});
    const OnSuddenEnd moved = std::move(first);
    signal();
  });
  EXPECT_EQ(status, 3);
  EXPECT_TRUE(fs::exists(kept));
  EXPECT_FALSE(fs::exists(half)) << "the step was forgotten when it was moved";
}

TEST(SuddenEnd, TakesTheStepsOfAsManyAsThereAre) {
  const test::TemporaryDirectory directory;
  for (int i = 0; i < 200; ++i) {
    std::ofstream(directory / std::to_string(i)) << "half";
  }
  const int status = status_after_signal([&](auto signal) {
    std::vector<OnSuddenEnd> many;
    for (int i = 0; i < 200; ++i) {
      many.emplace_back(std::vector<EndStep>{{EndStep::Kind::unlink, directory / std::to_string(i)}});
    }
    signal();
  });
  EXPECT_EQ(status, 3);
  EXPECT_TRUE(fs::is_empty(directory.path()));
}

// Run with a sanitizer, which would report a race here.
TEST(SuddenEnd, MayComeInAnotherThreadWhileStepsAreGivenUp) {
  std::atomic<bool> done = false;
  std::thread handler([&] {
    while (!done) {
      take_end_steps();
    }
  });
  // Many steps, so that they are given up while they are being taken.
  const std::vector<EndStep> steps(50, {EndStep::Kind::unlink, "/nonexistent/" + std::string(200, 'x')});
  for (int i = 0; i < 100; ++i) {
    const OnSuddenEnd brief(steps);
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  done = true;
  handler.join();
}

}  // namespace
}  // namespace spillway
