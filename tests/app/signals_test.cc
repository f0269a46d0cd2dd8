#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "app/cli/cli.h"
#include "backends/list.h"
#include "core/units.h"
#include "host/sudden_end.h"
#include "tests/support/program.h"

// The program's reactions to signals. Each test has a process of its own, since a request to end
// cannot be taken back.
namespace spillway {
namespace {

namespace fs = std::filesystem;

// Calls `run` in a process with a half-made file, and returns the exit status of that process.
template <class Run>
test::Ran in_a_process(const std::string& half, Run run) {
  std::ofstream(half) << "half";
  const pid_t child = fork();
  if (child == 0) {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    const OnSuddenEnd undo({{EndStep::Kind::unlink, half}});
    _exit(run());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), {}, {}};
}

// Returns true if the signal has no handler yet, neither a sanitizer's nor that of a shell that started the
// tests in the background.
bool is_free(int number) {
  struct sigaction action = {};
  return ::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_DFL;
}

TEST(Signals, AskForTheEndOnce) {
  const test::TemporaryDirectory directory;
  for (const int number :
       {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF}) {
    SCOPED_TRACE(number);
    const test::Ran ran = in_a_process(directory / "half", [&] {
      ::signal(number, SIG_DFL);
      catch_interrupts();
      const bool before = interrupted();
      ::raise(number);
      return !before && interrupted() ? 3 : 4;
    });
    EXPECT_EQ(ran.status, 3);
    EXPECT_TRUE(fs::exists(directory / "half")) << "the signal removed the file; the destructors should";
  }
}

TEST(Signals, ASecondOneEndsAtOnceAndStillCleansUp) {
  const test::TemporaryDirectory directory;
  const test::Ran ran = in_a_process(directory / "half", [] {
    ::signal(SIGTERM, SIG_DFL);
    catch_interrupts();
    ::raise(SIGTERM);
    ::raise(SIGTERM);  // the same request, as `timeout` sends it
    std::this_thread::sleep_for(std::chrono::milliseconds(350));
    ::raise(SIGTERM);
    return 3;
  });
  EXPECT_EQ(ran.status, 128 + SIGTERM);
  EXPECT_FALSE(fs::exists(directory / "half"));
}

TEST(Signals, ACrashCleansUpAndIsStillTheCrash) {
  const test::TemporaryDirectory directory;
  size_t tried = 0;
  for (const int number : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV}) {
    if (!is_free(number)) {
      continue;
    }
    ++tried;
    SCOPED_TRACE(number);
    const test::Ran ran = in_a_process(directory / "half", [&] {
      catch_interrupts();
      ::raise(number);
      return 3;
    });
    EXPECT_EQ(ran.status, 128 + number);
    EXPECT_FALSE(fs::exists(directory / "half"));
  }
  if (tried == 0) {
    GTEST_SKIP() << "every one of these signals has a handler already";
  }
}

TEST(Signals, ABusErrorSaysWhatWasLost) {
  if (!is_free(SIGBUS)) {
    GTEST_SKIP() << "the signal has a handler already";
  }
  const test::TemporaryDirectory directory;
  const std::string said = directory / "said";
  const test::Ran ran = in_a_process(directory / "half", [&] {
    catch_interrupts();
    std::ofstream(said) << std::string(4096, 'x');
    const int file = ::open(said.c_str(), O_RDWR);
    volatile char* mapped = static_cast<char*>(::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file, 0));
    ::dup2(file, STDERR_FILENO);
    [[maybe_unused]] const int cut = ::ftruncate(file, 0);
    return int(*mapped);
  });
  EXPECT_EQ(ran.status, 128 + SIGBUS);
  EXPECT_EQ(test::read_file(said),
            "spillway: a mapped file has shrunk, or its drive failed to deliver a page of it\n");
  EXPECT_FALSE(fs::exists(directory / "half"));
}

// Reads through a backend that maps its store, from which half is cut off while the bytes are in use.
void use_a_store_that_shrinks(const std::string& backend, const std::string& name) {
  const test::TemporaryDirectory directory;
  const std::string store = directory / name;
  const std::string said = directory / "said";
  test::write_file(store, std::string(8 * kMiB, 'x'));
  const test::Ran ran = in_a_process(directory / "half", [&] {
    catch_interrupts();
    const std::vector<std::string> files = {store};
    Result<std::unique_ptr<Backend>> made = backends().known(backend).make({files});
    if (!made) {
      return 7;
    }
    const IoRequest request{0, {0, 5 * kMiB, kMiB}, nullptr};
    IoDone done;
    if ((*made)->submit({&request, 1}) != 1 || (*made)->reap({&done, 1}, 1) != 1 || done.error != 0) {
      return 8;
    }
    fs::resize_file(store, 4 * kMiB);
    const int file = ::open(said.c_str(), O_CREAT | O_WRONLY, 0600);
    ::dup2(file, STDERR_FILENO);
    return int(*static_cast<const volatile std::byte*>(done.data + 4096));
  });
  EXPECT_EQ(ran.status, 1) << backend;
  const std::string line = test::read_file(said);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
  EXPECT_NE(line.find("store"), std::string::npos) << line;
  EXPECT_NE(line.find(" at offset 5246976 "), std::string::npos) << line;
  EXPECT_FALSE(fs::exists(directory / "half"));
}

TEST(Signals, AMappedStoreThatShrinksEndsTheRunAsAFailedReadDoes) {
  if (!is_free(SIGBUS)) {
    GTEST_SKIP() << "the signal has a handler already";
  }
  use_a_store_that_shrinks("mmap", "x.store");
  use_a_store_that_shrinks("hugepage", "x.store");
  use_a_store_that_shrinks("mmap:threads=1", "a,\nb\x1b.store");
}

TEST(Signals, ThatWereIgnoredOrHandledBeforeStaySo) {
  const test::TemporaryDirectory directory;
  const test::Ran ran = in_a_process(directory / "half", [] {
    for (const int number : {SIGINT, SIGQUIT, SIGHUP, SIGTERM}) {
      ::signal(number, SIG_IGN);
    }
    ::signal(SIGSEGV, [](int) { _exit(5); });
    catch_interrupts();
    for (const int number : {SIGINT, SIGQUIT, SIGHUP, SIGTERM}) {
      ::raise(number);
    }
    if (interrupted()) {
      return 4;
    }
    ::raise(SIGSEGV);
    return 6;
  });
  EXPECT_EQ(ran.status, 5);
}

}  // namespace
}  // namespace spillway
