#include <gtest/gtest.h>

#include <sstream>

#include "tests/support/program.h"

namespace spillway::test {
namespace {

namespace fs = std::filesystem;

// A clone in a folder with a blank and a quote in its name, whose build is that of the tests.
class Quickstart : public testing::Test {
 protected:
  void SetUp() override {
    const fs::path source = SPILLWAY_SOURCE_DIR;
    fs::create_directories(clone_ / "tools");
    fs::create_directories(clone_ / "build/release/app");
    fs::copy_file(source / "tools/quickstart", clone_ / "tools/quickstart");
    fs::create_directory_symlink(source / "bundled", clone_ / "bundled");
    fs::create_directory_symlink(source / "experiments", clone_ / "experiments");
    fs::create_symlink(SPILLWAY_BINARY, clone_ / "build/release/app/spillway");
    write_script(clone_ / "tools/install-packages", "exit 0");
    fs::create_directory(scratch_ / "bin");
    write_script(scratch_ / "bin/cmake", "exit 0");
  }

  static void write_script(const fs::path& path, const std::string& body) {
    write_file(path, "#!/bin/sh\n" + body + "\n");
    fs::permissions(path, fs::perms::owner_all);
  }

  Ran shell(const std::string& line) {
    return Program({"/usr/bin/env", "-u", "XDG_CACHE_HOME", "HOME=" + scratch_.path(),
                    "PATH=" + scratch_ / "bin" + ":/usr/bin:/bin", "/bin/sh", "-c", line})
        .wait();
  }

  TemporaryDirectory scratch_;
  const fs::path clone_ = fs::path(scratch_.path()) / "a clone's folder";
};

TEST_F(Quickstart, EndsWithWhatToCallNextAndWhatItLeft) {
  const Ran started = Program({"/usr/bin/env", "-u", "XDG_CACHE_HOME", "HOME=" + scratch_.path(),
                               "PATH=" + scratch_ / "bin" + ":/usr/bin:/bin", clone_ / "tools/quickstart"})
                          .wait();
  SKIP_WHERE_UNAVAILABLE(started);
  ASSERT_EQ(started.status, 0) << started.err;
  EXPECT_NE(started.err.find("quickstart: configuring"), std::string::npos) << started.err;
  EXPECT_NE(started.err.find(".cache/spillway: 1."), std::string::npos) << "what was left: " << started.err;
  EXPECT_NE(started.err.find("spillway cache clean; rm -r "), std::string::npos) << started.err;

  // The lines to type, as they stand: where to go, and the commands. The sweep only lists its runs.
  std::string typed;
  size_t commands = 0;
  std::istringstream lines(started.err);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  export PATH=") || line.starts_with("  cd ")) {
      typed += line + "\n";
    } else if (line.starts_with("  spillway ")) {
      const size_t sweep = line.find(" && ");
      typed += (sweep == std::string::npos ? line : line.substr(0, sweep) + " --dry-run") +
               " >/dev/null || exit\n";
      ++commands;
    }
  }
  EXPECT_EQ(commands, 3U) << started.err;
  const Ran next = shell(typed);
  EXPECT_EQ(next.status, 0) << typed << next.err;
}

}  // namespace
}  // namespace spillway::test
