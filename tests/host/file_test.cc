#include "host/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "tests/traces/trace_testing.h"

namespace spillway::testing {
namespace {

namespace fs = std::filesystem;

constexpr auto kWhenDone = OutputFile::Place::rename_when_done;
constexpr auto kInPlace = OutputFile::Place::in_place;

std::string text_of(const std::string& path) {
  const std::vector<uint8_t> bytes = read_bytes(path);
  return {bytes.begin(), bytes.end()};
}

// Writes `text` to `path`, replacing the previous file.
Result<void> replace(const std::string& path, const std::string& text, OutputFile::Place place = kWhenDone) {
  Result<OutputFile> file = OutputFile::create(path, place, true);
  if (!file) {
    return propagate(file);
  }
  if (Result<void> written = file->write(std::string_view(text)); !written) {
    return written;
  }
  return file->finish();
}

unsigned mode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0;
}

TEST(OutputFile, BeginsUnderANameThatNobodyHas) {
  const TemporaryDirectory scratch;
  const std::string path = scratch / "t.bin";
  write_text(path + ".partial", "somebody's own");
  Result<OutputFile> one = OutputFile::create(path, kWhenDone, true);
  Result<OutputFile> other = OutputFile::create(path, kWhenDone, true);
  ASSERT_TRUE(one && other);
  EXPECT_FALSE(fs::exists(path));
  ASSERT_TRUE(one->write(std::string_view("one ")));
  ASSERT_TRUE(other->write(std::string_view("other")));
  ASSERT_TRUE(one->write(std::string_view("whole")));
  ASSERT_TRUE(one->finish());
  EXPECT_EQ(text_of(path), "one whole");
  ASSERT_TRUE(other->finish());
  EXPECT_EQ(text_of(path), "other");
  EXPECT_EQ(text_of(path + ".partial"), "somebody's own");
  EXPECT_EQ(scratch.entries(), 2U);
}

TEST(OutputFile, ThatIsGivenUpLeavesTheOlderFileAlone) {
  const TemporaryDirectory scratch;
  const std::string path = scratch / "t.bin";
  write_text(path, "precious");
  ASSERT_TRUE(OutputFile::create(path, kWhenDone, true)->write(std::string_view("half")));
  EXPECT_EQ(text_of(path), "precious");
  EXPECT_EQ(scratch.entries(), 1U);
}

TEST(OutputFile, ReplacesWhatALinkLeadsToAndNotTheLink) {
  const TemporaryDirectory scratch;
  fs::create_directory(scratch / "there");
  const std::string target = scratch / "there/t.bin";
  fs::create_symlink("there/t.bin", scratch / "near");
  fs::create_symlink(scratch / "near", scratch / "far");
  for (const auto place : {kWhenDone, kInPlace}) {
    write_text(target, "older");
    ASSERT_TRUE(OutputFile::create(scratch / "far", kWhenDone, true));
    EXPECT_EQ(text_of(target), "older") << "nothing was written yet";
    ASSERT_TRUE(replace(scratch / "far", "newer", place));
    EXPECT_EQ(text_of(target), "newer");
    EXPECT_TRUE(fs::is_symlink(scratch / "far") && fs::is_symlink(scratch / "near"));
  }
  fs::remove(target);
  ASSERT_TRUE(OutputFile::create(scratch / "far", kWhenDone, true));
  EXPECT_TRUE(fs::is_empty(scratch / "there")) << "a file was made behind a dangling link";
  ASSERT_TRUE(replace(scratch / "far", "new"));
  EXPECT_EQ(text_of(target), "new");

  EXPECT_FALSE(OutputFile::create(scratch / "near", kWhenDone, false))
      << "a dangling link counts as existing";
  fs::create_symlink("round", scratch / "round");
  const Result<OutputFile> round = OutputFile::create(scratch / "round", kWhenDone, true);
  ASSERT_FALSE(round);
  EXPECT_NE(round.error().message.find(scratch / "round"), std::string::npos) << round.error().message;
}

TEST(OutputFile, HasTheModeOfTheFileItReplaces) {
  const TemporaryDirectory scratch;
  const std::string path = scratch / "t.bin";
  for (const auto place : {kWhenDone, kInPlace}) {
    write_text(path, "older");
    ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
    ASSERT_TRUE(replace(path, "newer", place));
    EXPECT_EQ(mode_of(path), 0640U);
    EXPECT_EQ(text_of(path), "newer");
  }
  const mode_t before = ::umask(027);
  EXPECT_TRUE(replace(scratch / "new", "new"));
  ::umask(before);
  EXPECT_EQ(mode_of(scratch / "new"), 0640U);
}

TEST(OutputFile, DoesNotReplaceAFileThatItsUserMayNotWrite) {
  const TemporaryDirectory scratch;
  const std::string path = scratch / "t.bin";
  write_text(path, "precious");
  ASSERT_EQ(::chmod(path.c_str(), 0444), 0);
  ASSERT_EQ(::chmod(fs::path(path).parent_path().c_str(), 0777), 0);
  // Runs as the user nobody in a child process, since root may write everything.
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) {
      ::_exit(77);
    }
    const Result<void> replaced = replace(path, "newer");
    const bool refused = !replaced && replaced.error().message.find(path) != std::string::npos;
    ::_exit(refused && replace(scratch / "other", "may be made") ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
    GTEST_SKIP() << "root cannot become another user here";
  }
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(text_of(path), "precious");
}

TEST(OutputFile, GoesOnWhereADescriptorStands) {
  const TemporaryDirectory scratch;
  const std::string path = scratch / "log";
  const int open_file = ::open(path.c_str(), O_WRONLY | O_CREAT, 0600);
  ASSERT_EQ(::write(open_file, "before ", 7), 7);
  fs::create_symlink("/dev/fd/" + std::to_string(open_file), scratch / "link");
  ASSERT_TRUE(replace("/dev/fd/" + std::to_string(open_file), "between "));
  ASSERT_TRUE(replace(scratch / "link", "and "));
  ASSERT_EQ(::write(open_file, "after", 5), 5);
  ::close(open_file);
  EXPECT_EQ(text_of(path), "before between and after");
  EXPECT_FALSE(OutputFile::create("/dev/fd/987654", kWhenDone, true));
}

TEST(OutputFile, DoesNotRemoveAFileThatTookThePlaceOfItsOwn) {
  const TemporaryDirectory scratch;
  const std::string path = scratch / "t.bin";
  {
    const Result<OutputFile> recording = OutputFile::create(path, kInPlace, false);
    ASSERT_TRUE(recording);
    ASSERT_TRUE(replace(path, "another's"));
  }
  EXPECT_EQ(text_of(path), "another's");
}

TEST(SameFile, IsToldByTheFileAndNotByTheName) {
  const TemporaryDirectory scratch;
  write_text(scratch / "a", "a");
  write_text(scratch / "b", "a");
  fs::create_symlink("a", scratch / "soft");
  fs::create_hard_link(scratch / "a", scratch / "hard");
  EXPECT_TRUE(same_file(scratch / "a", scratch / "soft"));
  EXPECT_TRUE(same_file(scratch / "a", scratch / "hard"));
  EXPECT_FALSE(same_file(scratch / "a", scratch / "b"));
  EXPECT_FALSE(same_file(scratch / "a", scratch / "missing"));
  // Two outputs with the same name would be one file once both exist.
  EXPECT_TRUE(same_file(scratch / "missing", scratch / "missing"));
  fs::create_directory(scratch / "there");
  EXPECT_TRUE(same_file(scratch / "missing", scratch / "there/../missing"));
  fs::create_directory_symlink(scratch / "there", scratch / "way");
  EXPECT_TRUE(same_file(scratch / "there/missing", scratch / "way/missing"));
  EXPECT_FALSE(same_file(scratch / "missing", scratch / "way/missing"));
  fs::create_symlink("nowhere", scratch / "dangling");
  EXPECT_TRUE(same_file(scratch / "dangling", scratch / "nowhere"));
  fs::create_symlink("round", scratch / "round");
  fs::create_symlink("again", scratch / "again");
  EXPECT_FALSE(same_file(scratch / "round", scratch / "again"));
  EXPECT_FALSE(same_file("", ""));
}

}  // namespace
}  // namespace spillway::testing
