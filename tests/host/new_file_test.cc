#include "host/new_file.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "host/file.h"
#include "host/file_calls.h"
#include "tests/support/refused_calls.h"
#include "tests/support/store_fixture.h"

namespace spillway::testing {
namespace {

namespace fs = std::filesystem;

constexpr auto kConversion = OutputFile::Place::rename_when_done;
constexpr auto kRecording = OutputFile::Place::in_place;
constexpr RefusedCalls kNothing = {};
constexpr RefusedCalls kUnnamed = {.unnamed_files = true};
constexpr RefusedCalls kUnnamedAndFree = {.unnamed_files = true, .renaming_to_a_free_name = true};
constexpr RefusedCalls kAll = {.unnamed_files = true, .renaming_to_a_free_name = true, .links = true};

struct Where {
  const char* name;
  bool in_memory;
  RefusedCalls refused;
};

void PrintTo(const Where& where, std::ostream* out) {
  *out << where.name;
}

// A kind of file system, on tmpfs and on the one that temporary files are on.
class WritingOn : public ::testing::TestWithParam<Where> {
 protected:
  WritingOn() : path_(directory_ / "t.bin") {}

  // What `work` in a process of its own exits with.
  int in_a_process(const std::function<int()>& work) {
    const pid_t child = start(work);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  // Kills a process that has done `work`.
  void killed_after(const std::function<int()>& work) {
    std::array<int, 2> ready = {};
    ASSERT_EQ(::pipe(ready.data()), 0);
    const pid_t child = start([&] {
      work();
      return ::write(ready[1], "", 1) == 1 ? ::pause() : 1;
    });
    ::close(ready[1]);
    char ignored = 0;
    ASSERT_EQ(::read(ready[0], &ignored, 1), 1);
    ::close(ready[0]);
    ::kill(child, SIGKILL);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
  }

  TemporaryDirectory directory_{GetParam().in_memory ? memory_directory()
                                                     : fs::temp_directory_path().string()};
  const std::string path_;

 private:
  static pid_t start(const std::function<int()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::_exit(refuse_calls(GetParam().refused) ? work() : 77);
    }
    return child;
  }
};

// Begins `path` and writes something into it.
OutputFile begun(const std::string& path, OutputFile::Place place, bool replace) {
  Result<OutputFile> file = OutputFile::create(path, place, replace);
  if (!file || !file->write(std::string_view("new"))) {
    ::_exit(2);
  }
  return std::move(*file);
}

TEST_P(WritingOn, AKilledMakerLeavesNothingThatTheNextDoesNotRemove) {
  write_file(directory_ / "t.bin.partial-12", "somebody's own");
  write_file(directory_ / "other.partial-1-2", "somebody else's");
  std::optional<OutputFile> held;
  killed_after([&] { return held.emplace(begun(path_, kConversion, true)), 0; });
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_EQ(directory_.entries(), GetParam().refused.unnamed_files ? 3U : 2U);
  EXPECT_EQ(in_a_process([&] { return begun(path_, kConversion, true).finish() ? 0 : 3; }), 0);
  EXPECT_EQ(read_file(path_), "new");
  EXPECT_EQ(directory_.entries(), 3U) << "the file and two that are not ours";
}

TEST_P(WritingOn, AFileThatIsBeingMadeIsNoLeftover) {
  const int status = in_a_process([&] {
    OutputFile one = begun(path_, kConversion, true);
    OutputFile other = begun(path_, kConversion, true);
    return one.finish() && other.finish() ? 0 : 3;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(directory_.entries(), 1U);
}

TEST_P(WritingOn, AFileThatAppearsMeanwhileIsNotReplaced) {
  const int status = in_a_process([&] {
    OutputFile file = begun(path_, kConversion, false);
    write_file(path_, "precious");
    const Result<void> finished = file.finish();
    return !finished && mentions(finished.error().message, "exists already") ? 0 : 3;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_file(path_), "precious");
  EXPECT_EQ(directory_.entries(), 1U);
}

TEST_P(WritingOn, ALinkThatAppearsMeanwhileIsNotFollowed) {
  const std::string precious = directory_ / "precious";
  write_file(precious, "precious");
  const int status = in_a_process([&] {
    OutputFile file = begun(path_, kConversion, false);
    fs::create_symlink("precious", path_);
    return file.finish() ? 3 : 0;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_file(precious), "precious");
}

TEST_P(WritingOn, ANewFileTakesAFreeName) {
  for (const auto place : {kConversion, kRecording}) {
    fs::remove(path_);
    EXPECT_EQ(in_a_process([&] { return begun(path_, place, false).finish() ? 0 : 3; }), 0);
    EXPECT_EQ(read_file(path_), "new");
    EXPECT_EQ(directory_.entries(), 1U);
  }
}

TEST_P(WritingOn, AReplacedFileIsThereUntilTheNewOneIsAndLeavesItsMode) {
  for (const auto place : {kConversion, kRecording}) {
    write_file(path_, "older");
    ASSERT_EQ(::chmod(path_.c_str(), 0640), 0);
    const int status = in_a_process([&] {
      OutputFile file = begun(path_, place, true);
      const std::string before = read_file(path_);
      return before == (place == kRecording ? "new" : "older") && file.finish() ? 0 : 3;
    });
    EXPECT_EQ(status, 0);
    EXPECT_EQ(read_file(path_), "new");
    struct stat facts = {};
    ASSERT_EQ(::stat(path_.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777, 0640U);
    EXPECT_EQ(directory_.entries(), 1U);
  }
}

TEST_P(WritingOn, ARecordingIsThereAtOnceAndStaysWhenItsMakerIsKilled) {
  std::optional<OutputFile> held;
  killed_after([&] {
    held.emplace(begun(path_, kRecording, false));
    held->keep();
    return 0;
  });
  EXPECT_EQ(read_file(path_), "new");
  EXPECT_EQ(directory_.entries(), 1U);
}

INSTANTIATE_TEST_SUITE_P(EveryKind, WritingOn,
                         ::testing::Values(Where{"memory", true, kNothing}, Where{"drive", false, kNothing},
                                           Where{"memory_without_unnamed_files", true, kUnnamed},
                                           Where{"drive_without_unnamed_files", false, kUnnamed},
                                           Where{"drive_that_cannot_rename_to_a_free_name", false,
                                                 kUnnamedAndFree},
                                           Where{"drive_without_links_either", false, kAll}),
                         [](const auto& instance) { return std::string(instance.param.name); });

// The check of every test above: these file systems can do all of it.
TEST(NewFile, HasNoNameBeforeItIsWhole) {
  for (const std::string& parent : {memory_directory(), fs::temp_directory_path().string()}) {
    const TemporaryDirectory directory(parent);
    if (open_unnamed(directory.path(), 0600).get() < 0) {
      GTEST_SKIP() << parent << " is on a file system without unnamed files";
    }
    const Result<OutputFile> file = OutputFile::create(directory / "new", kConversion, false);
    ASSERT_TRUE(file);
    EXPECT_EQ(directory.entries(), 0U);
  }
}

TEST(NewFile, TakesTheRoomItNeedsOrSaysThatThereIsNone) {
  const TemporaryDirectory directory;
  Result<FilePlace> place = find_place(directory / "new", false);
  ASSERT_TRUE(place);
  Result<NewFile> file = NewFile::create(*place, false);
  ASSERT_TRUE(file);
  ASSERT_TRUE(file->reserve(1 << 20));
  struct stat facts = {};
  ASSERT_EQ(::fstat(file->handle().get(), &facts), 0);
  EXPECT_EQ(facts.st_size, 1 << 20);
  EXPECT_EQ(facts.st_blocks * 512, 1 << 20);
  const Result<void> refused = file->reserve(1 << 20, uint64_t(1) << 60);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(mentions(refused.error().message, "must stay free")) << refused.error().message;
}

TEST(NewFile, ANameThatCannotBeGivenIsRefusedAtOnce) {
  const TemporaryDirectory directory;
  for (const std::string& path : {directory / std::string(300, 'x'), directory / "no/such", directory.path(),
                                  directory.path() + "/", std::string()}) {
    const Result<OutputFile> file = OutputFile::create(path, kConversion, true);
    ASSERT_FALSE(file) << path;
    EXPECT_TRUE(mentions(file.error().message, path)) << file.error().message;
  }
}

TEST(NewFile, ALinkOfAStrangerInASharedFolderIsNotFollowed) {
  const TemporaryDirectory directory;
  const std::string link = directory / "link";
  const std::string target = directory / "target";
  fs::create_symlink("target", link);
  ASSERT_EQ(::chmod(directory.path().c_str(), 01777), 0);
  ASSERT_TRUE(OutputFile::create(link, kConversion, true)) << "it is the user's own";
  constexpr uid_t kNobody = 65534;
  if (::lchown(link.c_str(), kNobody, kNobody) != 0) {
    GTEST_SKIP() << "only root can give a link away";
  }
  for (const bool replaces : {false, true}) {
    if (replaces) {
      write_file(target, "precious");
    }
    const Result<OutputFile> refused = OutputFile::create(link, kConversion, true);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(mentions(refused.error().message, link)) << refused.error().message;
  }
  EXPECT_EQ(read_file(target), "precious");
  ASSERT_EQ(::chmod(directory.path().c_str(), 0777), 0);
  EXPECT_TRUE(OutputFile::create(link, kConversion, true)) << "no folder where links are guarded";
}

TEST(ClaimName, KeepsEverybodyElseAwayFromThatNameAlone) {
  const TemporaryDirectory directory;
  for (const std::string& parent : {directory.path(), memory_directory()}) {
    const std::string path = parent + "/spillway-claimed";
    std::optional<FileHandle> claim = claim_name(path);
    ASSERT_TRUE(claim);
    EXPECT_FALSE(claim_name(path));
    EXPECT_TRUE(claim_name(path + "2"));
    claim.reset();
    EXPECT_TRUE(claim_name(path)) << "let go";
    const pid_t child = ::fork();
    if (child == 0) {
      const auto held = claim_name(path);
      ::raise(SIGKILL);
    }
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    EXPECT_TRUE(claim_name(path)) << "the holder was killed";
  }
}

}  // namespace
}  // namespace spillway::testing
