#include "backends/list.h"
#include "core/units.h"
#include "host/linux/page_memory.h"
#include "tests/support/make_plugin.h"
#include "tests/support/store_fixture.h"

namespace spillway {
namespace {

using testing::filled;
using testing::mentions;
using testing::TemporaryDirectory;

TEST(Refusals, a_registration_of_memory_that_is_refused_goes_on_without_and_says_so) {
  const TemporaryDirectory directory;
  const std::vector<std::string> files = {directory / "data"};
  testing::write_file(files[0], filled(64 * kKiB));
  auto backend = make_plugin(backends(), "uring", BackendEnv{files});
  SKIP_IF_UNAVAILABLE(backend);
  // Root has no lock limit, but an unmapped address is refused for any user.
  Result<PageMemory> memory = PageMemory::allocate(2 * kMiB, std::nullopt);
  ASSERT_TRUE(memory);
  const std::span<std::byte> nowhere(reinterpret_cast<std::byte*>(uint64_t(1) << 21), 4096);
  ASSERT_TRUE((*backend)->attach(nowhere));
  EXPECT_TRUE(mentions((*backend)->caps().note, "refused")) << (*backend)->caps().note;
  const IoRequest request = {.tag = 1, .range = {0, 0, 4096}, .destination = memory->bytes().data()};
  ASSERT_EQ((*backend)->submit({&request, 1}), 1U);
  IoDone done;
  ASSERT_EQ((*backend)->reap({&done, 1}, 1), 1U);
  EXPECT_EQ(done.error, 0);
}

TEST(Refusals, options_that_make_no_sense_are_wrong_usage) {
  const std::vector<std::string> none;
  for (const char* spec : {"uring:depth=0", "uring:depth=99999999", "uring:iopoll=1,direct=0",
                           "pread:threads=0", "pread:depth=0", "mmap:advice=hope", "null:depth=0",
                           "hugepage:threads=0", "uring:speed=9", "uring:depth=abc"}) {
    const auto made = make_plugin(backends(), spec, BackendEnv{none});
    ASSERT_FALSE(made) << spec;
    EXPECT_EQ(made.error().kind, ErrorKind::usage) << made.error().message;
  }
}

TEST(Refusals, a_chunk_that_is_no_multiple_of_the_block_is_wrong_usage) {
  const TemporaryDirectory directory;
  const std::vector<std::string> files = {directory / "data"};
  testing::write_file(files[0], "x");
  const auto made = make_plugin(backends(), "uring:chunk=1000", BackendEnv{files});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind == ErrorKind::usage || made.error().kind == ErrorKind::unavailable, true)
      << made.error().message;
}

}  // namespace
}  // namespace spillway
