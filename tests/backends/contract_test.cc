#include <map>
#include <set>

#include "backends/list.h"
#include "core/expects.h"
#include "core/rng.h"
#include "core/units.h"
#include "host/linux/page_memory.h"
#include "stores/generated_content.h"
#include "tests/support/make_plugin.h"
#include "tests/support/store_fixture.h"

// The promises that ports.h makes for every backend, tested on every entry of the list and with the options
// that change how an entry works.
namespace spillway {
namespace {

using testing::TemporaryDirectory;

constexpr uint64_t kSeed = 77;

class BackendContract : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    // The last file ends within a block, and one is smaller than a block.
    const std::vector<uint64_t> sizes = {5 * kMiB, 300'000, 1000, 3 * kMiB + 777};
    for (uint32_t i = 0; i < sizes.size(); ++i) {
      std::string bytes(sizes[i], '\0');
      content_.emplace_back(kSeed, i);
      content_[i].fill(0, std::as_writable_bytes(std::span(bytes)));
      paths_.push_back(directory_ / "store" + std::to_string(i));
      testing::write_file(paths_[i], bytes);
      sizes_.push_back(sizes[i]);
    }
    Result<PageMemory> memory = PageMemory::allocate(kMemory, std::nullopt);
    ASSERT_TRUE(memory);
    memory_ = std::move(*memory);
    make();
  }

  void make() {
    Result<std::unique_ptr<Backend>> made = make_plugin(backends(), GetParam(), BackendEnv{.files = paths_});
    SKIP_IF_UNAVAILABLE(made);
    backend_ = std::move(*made);
    const Result<void> attached = backend_->attach(memory_.bytes());
    ASSERT_TRUE(attached) << attached.error().message;
  }

  IoRequest request(uint64_t tag, uint32_t file, uint64_t offset, uint64_t bytes) {
    const uint64_t alignment = backend_->caps().alignment;
    const uint64_t begin = round_down(offset, alignment);
    const uint64_t end = round_up(offset + bytes, alignment);
    std::byte* destination = backend_->caps().zero_copy ? nullptr : memory_.bytes().data() + next_place_;
    next_place_ += round_up(end - begin, std::max<uint64_t>(alignment, 64));
    Expects(next_place_ <= memory_.size());
    return {.tag = tag, .range = {file, begin, end - begin}, .destination = destination};
  }

  // Submits every request, reaping whenever the backend is full; every tag comes back once.
  std::map<uint64_t, IoDone> run(std::span<const IoRequest> requests, size_t reap_at_a_time = 4) {
    std::map<uint64_t, IoDone> done;
    size_t submitted = 0;
    std::vector<IoDone> out(reap_at_a_time);
    while (done.size() < requests.size()) {
      submitted += backend_->submit(requests.subspan(submitted));
      EXPECT_LE(submitted - done.size(), backend_->caps().depth);
      const size_t count = backend_->reap(out, 1);
      EXPECT_GE(count, 1U);
      for (const IoDone& one : std::span(out).first(count)) {
        EXPECT_TRUE(done.emplace(one.tag, one).second) << "tag " << one.tag << " came twice";
      }
    }
    EXPECT_EQ(submitted, requests.size());
    EXPECT_EQ(backend_->reap(out, 0), 0U) << "more completions than requests";
    return done;
  }

  void expect_right_bytes(const IoRequest& request, const IoDone& done) {
    EXPECT_EQ(done.tag, request.tag);
    EXPECT_EQ(done.error, 0) << request.range.file << " at " << request.range.offset;
    if (!backend_->caps().carries_bytes) {
      EXPECT_EQ(done.data, nullptr);
      return;
    }
    const ByteRange& range = request.range;
    if (backend_->caps().zero_copy) {
      ASSERT_NE(done.data, nullptr);
    } else {
      ASSERT_EQ(done.data, request.destination);
    }
    const uint64_t there = std::min(range.bytes, sizes_[range.file] - range.offset);
    EXPECT_TRUE(content_[range.file].matches(range.offset, {done.data, there}))
        << "file " << range.file << " at " << range.offset << ", " << there << " bytes";
  }

  static constexpr uint64_t kMemory = 64 * kMiB;

  TemporaryDirectory directory_;
  std::vector<std::string> paths_;
  std::vector<uint64_t> sizes_;
  std::vector<GeneratedContent> content_;
  PageMemory memory_;
  uint64_t next_place_ = 0;
  std::unique_ptr<Backend> backend_;
};

TEST_P(BackendContract, states_sane_capabilities) {
  const BackendCaps& caps = backend_->caps();
  EXPECT_GE(caps.depth, 1U);
  EXPECT_GE(caps.alignment, 1U);
  EXPECT_EQ(caps.alignment & (caps.alignment - 1), 0U);
  EXPECT_FALSE(caps.note.empty());
}

TEST_P(BackendContract, reads_the_right_bytes_at_odd_places_of_several_files) {
  Rng rng(5);
  std::vector<IoRequest> requests;
  for (uint64_t tag = 0; tag < 200; ++tag) {
    const auto file = uint32_t(rng.below(paths_.size()));
    const uint64_t offset = rng.below(sizes_[file]);
    const uint64_t bytes = 1 + rng.below(std::min<uint64_t>(sizes_[file] - offset, 200'000));
    requests.push_back(request(tag * 7 + 1, file, offset, bytes));
  }
  const auto done = run(requests);
  for (const IoRequest& one : requests) {
    expect_right_bytes(one, done.at(one.tag));
  }
}

TEST_P(BackendContract, takes_no_more_than_its_depth_until_reaped) {
  std::vector<IoRequest> requests;
  const uint64_t depth = backend_->caps().depth;
  for (uint64_t tag = 0; tag < depth + 5; ++tag) {
    requests.push_back(request(tag, 0, tag * 4096, 4096));
  }
  EXPECT_EQ(backend_->submit(requests), depth);
  EXPECT_EQ(backend_->submit(std::span(requests).subspan(depth)), 0U);
  std::vector<IoDone> out(depth);
  size_t reaped = 0;
  while (reaped < depth) {
    reaped += backend_->reap(std::span(out).subspan(reaped), 1);
  }
  EXPECT_EQ(backend_->submit(std::span(requests).subspan(depth)), std::min<size_t>(5, depth));
  for (size_t left = std::min<size_t>(5, depth); left > 0;) {
    left -= backend_->reap(out, 1);
  }
}

TEST_P(BackendContract, completes_a_range_that_was_rounded_up_beyond_the_end_of_the_file) {
  std::vector<IoRequest> requests;
  for (uint32_t file = 0; file < paths_.size(); ++file) {
    requests.push_back(request(file, file, sizes_[file] - 1, 1));
    requests.push_back(request(100 + file, file, 0, sizes_[file]));
  }
  const auto done = run(requests);
  for (const IoRequest& one : requests) {
    expect_right_bytes(one, done.at(one.tag));
  }
}

TEST_P(BackendContract, reports_a_range_behind_the_end_of_the_file_as_an_error) {
  if (!backend_->caps().carries_bytes) {
    GTEST_SKIP() << "the null backend reads nothing";
  }
  const std::vector<IoRequest> requests = {request(1, 1, 1 * kMiB, 4096), request(2, 0, 0, 4096)};
  const auto done = run(requests);
  EXPECT_NE(done.at(1).error, 0);
  expect_right_bytes(requests[1], done.at(2));
}

TEST_P(BackendContract, completes_an_empty_range) {
  const auto done = run(std::vector<IoRequest>{request(9, 0, 0, 0)});
  EXPECT_EQ(done.at(9).error, 0);
}

TEST_P(BackendContract, polls_without_waiting_and_waits_for_one) {
  std::vector<IoDone> out(8);
  EXPECT_EQ(backend_->reap(out, 0), 0U);
  const std::vector<IoRequest> requests = {request(1, 0, 0, 1 * kMiB), request(2, 3, 4096, 1 * kMiB)};
  const size_t accepted = std::min<size_t>(2, backend_->caps().depth);
  ASSERT_EQ(backend_->submit(requests), accepted);
  size_t count = backend_->reap(out, 0);
  while (count < accepted) {
    count += backend_->reap(std::span(out).subspan(count), 1);
  }
  for (size_t i = 0; i < count; ++i) {
    expect_right_bytes(requests[out[i].tag - 1], out[i]);
  }
}

TEST_P(BackendContract, fills_no_more_than_the_room_it_is_given) {
  std::vector<IoRequest> requests;
  for (uint64_t tag = 0; tag < 20; ++tag) {
    requests.push_back(request(tag, 0, tag * 8192, 8192));
  }
  const auto done = run(requests, 1);
  for (const IoRequest& one : requests) {
    expect_right_bytes(one, done.at(one.tag));
  }
}

TEST_P(BackendContract, works_after_a_second_attach) {
  run(std::vector<IoRequest>{request(1, 0, 0, 4096)});
  const Result<void> again = backend_->attach(memory_.bytes().subspan(0, memory_.size() / 2));
  ASSERT_TRUE(again) << again.error().message;
  const std::vector<IoRequest> requests = {request(1, 0, 12'288, 100'000)};
  const auto done = run(requests);
  expect_right_bytes(requests[0], done.at(1));
}

// Asserts nothing: the sanitizers see what is still written to memory that is gone, and the time limit ends a
// destructor that waits for ever.
TEST_P(BackendContract, may_be_destroyed_with_requests_in_flight) {
  std::vector<IoRequest> requests;
  for (uint64_t tag = 0; tag < 16; ++tag) {
    requests.push_back(request(tag, 0, 0, 1 * kMiB));
  }
  backend_->submit(requests);
  backend_.reset();
}

TEST_P(BackendContract, reads_again_what_was_released) {
  const std::vector<IoRequest> requests = {request(1, 0, 5000, 1 * kMiB)};
  auto done = run(requests);
  expect_right_bytes(requests[0], done.at(1));
  backend_->release(requests[0].range);
  done = run(requests);
  expect_right_bytes(requests[0], done.at(1));
}

TEST_P(BackendContract, names_the_file_that_is_not_there) {
  if (!backend_->caps().carries_bytes) {
    GTEST_SKIP() << "the null backend opens nothing";
  }
  const std::vector<std::string> missing = {directory_ / "missing"};
  const auto made = make_plugin(backends(), GetParam(), BackendEnv{.files = missing});
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find(missing[0]), std::string::npos) << made.error().message;
}

TEST_P(BackendContract, tells_before_it_is_made_whether_it_reads_anything) {
  EXPECT_EQ(backends().known(GetParam()).traits.does_nothing, !backend_->caps().carries_bytes);
}

TEST(BackendTraits, are_those_of_the_options) {
  EXPECT_TRUE(backends().known("uring").traits.is_direct);
  EXPECT_FALSE(backends().known("uring:direct=0").traits.is_direct);
  EXPECT_TRUE(backends().known("pread:direct").traits.is_direct);
  EXPECT_FALSE(backends().known("pread").traits.is_direct);
  EXPECT_TRUE(backends().known("hugepage:stage").traits.is_staged);
  EXPECT_FALSE(backends().known("hugepage").traits.is_staged);
}

TEST_P(BackendContract, reports_a_file_that_has_shrunk_as_an_error) {
  if (!backend_->caps().carries_bytes || GetParam() == "hugepage:stage=1") {
    GTEST_SKIP() << "this backend does not read the file after opening it";
  }
  std::filesystem::resize_file(paths_[0], 1 * kMiB);
  const std::vector<IoRequest> requests = {request(1, 0, 2 * kMiB, 1 * kMiB), request(2, 0, 0, 65536),
                                           request(3, 0, 1 * kMiB - 8192, 16384)};
  const auto done = run(requests);
  EXPECT_NE(done.at(1).error, 0);
  expect_right_bytes(requests[1], done.at(2));
  EXPECT_NE(done.at(3).error, 0);
}

std::vector<std::string> every_backend() {
  std::vector<std::string> specs;
  for (const BackendPlugin& entry : backends()) {
    specs.push_back(entry.name);
  }
  for (const char* variant :
       {"pread:direct=1", "pread:threads=1", "pread:depth=2", "mmap:advice=random", "mmap:advice=sequential",
        "mmap:advice=willneed", "mmap:advice=populate", "mmap:threads=1", "uring:direct=0", "uring:fixed=0",
        "uring:chunk=8KiB,depth=3", "uring:chunk=64KiB", "uring:depth=1", "uring:sqpoll=1",
        "uring:direct=0,chunk=12KiB,fixed=0", "uring:iopoll=1", "hugepage:stage=1", "hugepage:strict=1"}) {
    specs.emplace_back(variant);
  }
  return specs;
}

INSTANTIATE_TEST_SUITE_P(every, BackendContract, ::testing::ValuesIn(every_backend()), [](const auto& entry) {
  std::string name = entry.param;
  for (char& c : name) {
    c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  }
  return name;
});

}  // namespace
}  // namespace spillway
