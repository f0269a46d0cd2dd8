#include "stores/store.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "core/units.h"
#include "host/file_calls.h"
#include "stores/packed_format.h"
#include "stores/scratch_store.h"
#include "tests/support/store_fixture.h"

namespace spillway {
namespace {

using testing::geometry;
using testing::memory_directory;
using testing::mentions;
using testing::TemporaryDirectory;

constexpr auto kKeepMaking = [](uint64_t, uint64_t) { return true; };

std::vector<std::byte> read_range(const ExpertStore& store, const ByteRange& range) {
  const std::string& path = store.files()[range.file];
  const Result<FileHandle> file = open_file(path, O_RDONLY);
  EXPECT_TRUE(file);
  std::vector<std::byte> bytes(range.bytes);
  EXPECT_EQ(read_at(file->get(), bytes, range.offset).bytes, range.bytes);
  return bytes;
}

struct ScratchCase {
  uint32_t ranges;
  uint32_t pieces;
  uint64_t expert_bytes;
};

class ScratchStore : public ::testing::TestWithParam<ScratchCase> {
 protected:
  std::vector<std::string> make_paths() {
    options_.directories.assign(GetParam().pieces, directory_.path());
    options_.ranges_per_expert = GetParam().ranges;
    const auto paths = make_scratch_store(geometry_, options_, kKeepMaking);
    EXPECT_TRUE(paths) << paths.error().message;
    return paths.value_or(std::vector<std::string>{});
  }

  TemporaryDirectory directory_;
  ScratchOptions options_;
  ModelGeometry geometry_ = geometry(3, 5, GetParam().expert_bytes);
};

TEST_P(ScratchStore, holds_every_expert_once_at_aligned_offsets_with_checkable_bytes) {
  const std::vector<std::string> paths = make_paths();
  const auto opened = open_store(paths, geometry_);
  ASSERT_TRUE(opened) << opened.error().message;
  const ExpertStore& store = **opened;
  ASSERT_TRUE(store.can_check());
  std::vector<std::pair<std::pair<uint32_t, uint64_t>, uint64_t>> taken;
  for (uint32_t i = 0; i < geometry_.expert_count(); ++i) {
    std::vector<ByteRange> ranges;
    store.ranges(ExpertId{i}, ranges);
    uint64_t sum = 0;
    for (const ByteRange& range : ranges) {
      sum += range.bytes;
      EXPECT_EQ(range.offset % kPackedAlignment, 0U);
      EXPECT_GE(range.offset, kPackedDataOffset);
      taken.push_back({{range.file, range.offset}, range.bytes});
      std::vector<std::byte> bytes = read_range(store, range);
      EXPECT_TRUE(store.check(ExpertId{i}, range, bytes, ExpertStore::Check::all));
      EXPECT_TRUE(store.check(ExpertId{i}, range, bytes, ExpertStore::Check::sample));
      bytes[bytes.size() / 3] ^= std::byte{1};
      EXPECT_FALSE(store.check(ExpertId{i}, range, bytes, ExpertStore::Check::all));
    }
    EXPECT_EQ(sum, geometry_.expert_bytes[0]);
  }
  std::sort(taken.begin(), taken.end());
  for (size_t i = 1; i < taken.size(); ++i) {
    const auto& [before, bytes] = taken[i - 1];
    EXPECT_TRUE(before.first != taken[i].first.first || before.second + bytes <= taken[i].first.second);
  }
}

TEST_P(ScratchStore, is_found_again_and_not_written_twice) {
  const std::vector<std::string> paths = make_paths();
  const auto written = std::filesystem::last_write_time(paths[0]);
  bool reported = false;
  const auto again =
      make_scratch_store(geometry_, options_, [&](uint64_t, uint64_t) { return reported = true; });
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, paths);
  EXPECT_FALSE(reported);
  EXPECT_EQ(std::filesystem::last_write_time(paths[0]), written);
  EXPECT_EQ(directory_.entries(), paths.size());
}

INSTANTIATE_TEST_SUITE_P(shapes, ScratchStore,
                         ::testing::Values(ScratchCase{1, 1, 307'200}, ScratchCase{3, 1, 307'200},
                                           ScratchCase{1, 3, 307'200}, ScratchCase{3, 2, 307'200},
                                           ScratchCase{1, 1, 100'001}, ScratchCase{3, 1, 100'001},
                                           ScratchCase{3, 4, 5'003}, ScratchCase{1, 2, 1}));

class OneStore : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.directories = {directory_.path()};
    const auto paths = make_scratch_store(geometry_, options_, kKeepMaking);
    ASSERT_TRUE(paths) << paths.error().message;
    paths_ = *paths;
  }

  std::string refusal(const std::vector<std::string>& paths, const ModelGeometry& wanted) {
    const auto opened = open_store(paths, wanted);
    EXPECT_FALSE(opened);
    return opened ? "" : opened.error().message;
  }

  TemporaryDirectory directory_;
  ScratchOptions options_;
  ModelGeometry geometry_ = geometry(2, 4, 65'536);
  std::vector<std::string> paths_;
};

TEST_F(OneStore, check_catches_a_byte_that_was_flipped_on_disk) {
  const auto store = open_store(paths_, geometry_);
  ASSERT_TRUE(store);
  std::vector<ByteRange> ranges;
  (*store)->ranges(ExpertId{5}, ranges);
  testing::flip_byte(paths_[0], ranges[0].offset + 12'345);
  EXPECT_FALSE(
      (*store)->check(ExpertId{5}, ranges[0], read_range(**store, ranges[0]), ExpertStore::Check::all));
}

TEST_F(OneStore, even_a_sample_catches_bytes_from_another_place) {
  const auto store = open_store(paths_, geometry_);
  ASSERT_TRUE(store);
  std::vector<ByteRange> ranges;
  (*store)->ranges(ExpertId{1}, ranges);
  (*store)->ranges(ExpertId{2}, ranges);
  const std::vector<std::byte> other = read_range(**store, ranges[1]);
  EXPECT_FALSE((*store)->check(ExpertId{1}, ranges[0], other, ExpertStore::Check::sample));
}

TEST_F(OneStore, check_all_catches_two_blocks_that_were_swapped) {
  const auto store = open_store(paths_, geometry_);
  ASSERT_TRUE(store);
  std::vector<ByteRange> ranges;
  (*store)->ranges(ExpertId{1}, ranges);
  std::vector<std::byte> bytes = read_range(**store, ranges[0]);
  std::swap_ranges(bytes.begin() + 4096, bytes.begin() + 8192, bytes.begin() + 16'384);
  EXPECT_FALSE((*store)->check(ExpertId{1}, ranges[0], bytes, ExpertStore::Check::all));
}

TEST_F(OneStore, a_store_that_is_too_small_is_refused_with_both_sizes) {
  const uint64_t size = std::filesystem::file_size(paths_[0]);
  std::filesystem::resize_file(paths_[0], size - 1);
  const std::string message = refusal(paths_, geometry_);
  EXPECT_TRUE(mentions(message, std::to_string(size)) && mentions(message, std::to_string(size - 1)))
      << message;
}

TEST_F(OneStore, a_store_of_another_shape_is_refused_showing_both) {
  const std::string message = refusal(paths_, geometry(2, 8, 65'536));
  EXPECT_TRUE(mentions(message, "2 layers × 4 experts") && mentions(message, "2 layers × 8 experts"))
      << message;
}

TEST_F(OneStore, a_header_cut_off_anywhere_is_refused) {
  const std::string whole = testing::read_file(paths_[0]);
  const TemporaryDirectory memory(memory_directory());
  const std::string path = memory / "cut";
  for (size_t length = 0; length < 600; ++length) {
    testing::write_file(path, whole.substr(0, length));
    EXPECT_TRUE(mentions(refusal({path}, geometry_), path));
  }
}

TEST_F(OneStore, a_flipped_bit_anywhere_in_the_header_is_refused) {
  const std::string whole = testing::read_file(paths_[0]).substr(0, 600);
  const TemporaryDirectory memory(memory_directory());
  const std::string path = memory / "flipped";
  const auto file = InputFile::open(paths_[0]);
  const size_t header = write_packed_header(*read_packed_header(*file))->size();
  for (size_t bit = 0; bit < header * 8; bit += 3) {
    std::string damaged = whole;
    damaged[bit / 8] = char(damaged[bit / 8] ^ (1 << (bit % 8)));
    testing::write_file(path, damaged);
    refusal({path}, geometry_);
  }
}

TEST_F(OneStore, what_is_no_store_is_refused) {
  const std::string path = directory_ / "text";
  testing::write_file(path, "hello, this is neither one nor the other");
  EXPECT_TRUE(mentions(refusal({path}, geometry_), "neither"));
  EXPECT_TRUE(mentions(refusal({directory_ / "missing"}, geometry_), "missing"));
  EXPECT_TRUE(mentions(refusal({directory_.path()}, geometry_), directory_.path()));
  EXPECT_FALSE(open_store({}, geometry_));
}

TEST_F(OneStore, pieces_out_of_order_or_of_another_store_are_refused) {
  options_.directories = {directory_.path(), directory_.path()};
  const auto striped = make_scratch_store(geometry_, options_, kKeepMaking);
  ASSERT_TRUE(striped);
  EXPECT_TRUE(open_store(*striped, geometry_));
  EXPECT_TRUE(mentions(refusal({(*striped)[1], (*striped)[0]}, geometry_), "piece"));
  EXPECT_TRUE(mentions(refusal({(*striped)[0]}, geometry_), "2 pieces"));
  EXPECT_FALSE(refusal({(*striped)[0], paths_[0]}, geometry_).empty());
}

TEST_F(OneStore, a_damaged_scratch_store_is_made_again) {
  std::filesystem::resize_file(paths_[0], 4096);
  ASSERT_TRUE(make_scratch_store(geometry_, options_, kKeepMaking));
  EXPECT_TRUE(open_store(paths_, geometry_));
}

TEST(ScratchStoreErrors, stopping_leaves_nothing_behind) {
  const TemporaryDirectory directory;
  ScratchOptions options;
  options.directories = {directory.path(), directory.path()};
  const auto stopped =
      make_scratch_store(geometry(2, 8, 1 << 20), options, [](uint64_t done, uint64_t total) {
        EXPECT_LE(done, total);
        return false;
      });
  ASSERT_FALSE(stopped);
  EXPECT_TRUE(mentions(stopped.error().message, "stopped"));
  EXPECT_EQ(directory.entries(), 0U);
}

TEST(ScratchStoreErrors, a_killed_run_leaves_nothing_behind) {
  const TemporaryDirectory directory;
  if (open_unnamed(directory.path(), 0600).get() < 0) {
    GTEST_SKIP() << directory.path() << " is on a file system without unnamed files";
  }
  ScratchOptions options;
  options.directories = {directory.path()};
  const ModelGeometry shape = geometry(2, 8, 1 << 20);
  const pid_t child = ::fork();
  if (child == 0) {
    static_cast<void>(make_scratch_store(shape, options, [](uint64_t, uint64_t) {
      ::raise(SIGKILL);
      return true;
    }));
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(directory.entries(), 0U);
  EXPECT_TRUE(make_scratch_store(shape, options, kKeepMaking));
}

TEST(ScratchStoreErrors, a_store_that_is_being_made_is_not_made_twice) {
  const TemporaryDirectory directory;
  ScratchOptions options;
  options.directories = {directory.path()};
  // Large enough that the thread which reports progress gets a block to write.
  const ModelGeometry shape = geometry(2, 8, 1 << 20);
  std::string told;
  ASSERT_TRUE(make_scratch_store(shape, options, [&](uint64_t, uint64_t) {
    if (told.empty()) {
      const auto again = make_scratch_store(shape, options, kKeepMaking);
      told = again ? "made" : again.error().message;
    }
    return true;
  }));
  EXPECT_TRUE(mentions(told, "being made by another process")) << told;
  EXPECT_EQ(directory.entries(), 1U);
}

TEST(ScratchStoreErrors, a_file_of_somebody_else_beside_it_is_left_alone) {
  const TemporaryDirectory directory;
  ScratchOptions options;
  options.directories = {directory.path()};
  const ModelGeometry shape = geometry(1, 2, 4096);
  const std::string name = scratch_store_paths(shape, options)[0] + ".partial";
  testing::write_file(name, "a thesis, two thirds of it");
  ASSERT_TRUE(make_scratch_store(shape, options, kKeepMaking));
  EXPECT_EQ(std::filesystem::file_size(name), 26U);
  EXPECT_EQ(directory.entries(), 2U);
}

TEST(ScratchStoreErrors, progress_ends_at_the_total) {
  const TemporaryDirectory directory;
  ScratchOptions options;
  options.directories = {directory.path()};
  uint64_t last = 0;
  uint64_t whole = 0;
  ASSERT_TRUE(make_scratch_store(geometry(2, 8, 1 << 20), options, [&](uint64_t done, uint64_t total) {
    EXPECT_GE(done, last);
    last = done;
    whole = total;
    return true;
  }));
  EXPECT_EQ(whole, 16U << 20);
  EXPECT_GT(last, 0U);
}

TEST(ScratchStoreErrors, a_directory_that_cannot_be_written_is_named) {
  // Root may write anywhere except /proc.
  const TemporaryDirectory directory;
  const std::string place = ::geteuid() == 0 ? "/proc" : directory.path();
  ::chmod(directory.path().c_str(), 0500);
  ScratchOptions options;
  options.directories = {place};
  const auto refused = make_scratch_store(geometry(1, 1, 4096), options, kKeepMaking);
  ::chmod(directory.path().c_str(), 0700);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(mentions(refused.error().message, place)) << refused.error().message;
}

TEST(ScratchStoreErrors, a_full_disk_is_seen_before_anything_is_written) {
  const TemporaryDirectory directory;
  if (::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=8m") != 0) {
    GTEST_SKIP() << "this user may not mount the small tmpfs that the test fills: " << error_text(errno);
  }
  ScratchOptions options;
  options.directories = {directory.path() + "/made/for/it"};
  const auto refused = make_scratch_store(geometry(1, 64, 1 << 20), options, kKeepMaking);
  const size_t left = directory.entries();
  ::umount(directory.path().c_str());
  ASSERT_FALSE(refused);
  EXPECT_TRUE(mentions(refused.error().message, "no room")) << refused.error().message;
  EXPECT_EQ(left, 0U);
}

TEST(ScratchStoreErrors, a_link_to_nowhere_is_left_alone) {
  const TemporaryDirectory directory;
  const std::string link = directory / "link";
  std::filesystem::create_symlink(directory / "unmounted", link);
  ScratchOptions options;
  options.directories = {link};
  EXPECT_FALSE(make_scratch_store(geometry(1, 4, 4096), options, kKeepMaking));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
}

TEST(ScratchStoreErrors, a_file_system_without_direct_io_will_do) {
  if (::access("/dev/shm", W_OK) != 0) {
    GTEST_SKIP() << "no tmpfs at /dev/shm";
  }
  const TemporaryDirectory directory(memory_directory());
  ScratchOptions options;
  options.directories = {directory.path()};
  const ModelGeometry shape = geometry(2, 4, 300'000);
  const auto paths = make_scratch_store(shape, options, kKeepMaking);
  if (!paths && mentions(paths.error().message, "no room")) {
    GTEST_SKIP() << paths.error().message;
  }
  ASSERT_TRUE(paths) << paths.error().message;
  EXPECT_TRUE(open_store(*paths, shape));
}

TEST(DefaultCacheDirectory, follows_the_environment) {
  ::setenv("XDG_CACHE_HOME", "/somewhere", 1);
  EXPECT_EQ(*default_cache_directory("--store DIR"), "/somewhere/spillway");
  ::unsetenv("XDG_CACHE_HOME");
  ::setenv("HOME", "/home/me", 1);
  EXPECT_EQ(*default_cache_directory("--store DIR"), "/home/me/.cache/spillway");
}

}  // namespace
}  // namespace spillway
