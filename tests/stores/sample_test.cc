#include "stores/sample.h"

#include "stores/generated_content.h"
#include "stores/packed_index.h"
#include "tests/support/store_fixture.h"

namespace spillway {
namespace {

using testing::filled;

// Loses one page after the other of each of some experts, and counts how often a sample sees it.
template <class Seen>
double share_seen(uint64_t bytes, Seen seen) {
  constexpr uint32_t kSampledExperts = 40;
  uint64_t found = 0;
  uint64_t tried = 0;
  for (uint32_t expert = 0; expert < kSampledExperts; ++expert) {
    for (uint64_t page = 0; page < bytes; page += 4096) {
      found += seen(expert, page) ? 1 : 0;
      ++tried;
    }
  }
  return double(found) / double(tried);
}

void lose_page(std::span<std::byte> data, uint64_t page) {
  const uint64_t end = std::min<uint64_t>(page + 4096, data.size());
  std::transform(data.begin() + int64_t(page), data.begin() + int64_t(end), data.begin() + int64_t(page),
                 [](std::byte b) { return ~b; });
}

TEST(Sample, SeesTheShareOfLostPagesThatItSaysOfAPackedExpert) {
  for (const uint64_t bytes : {uint64_t{4096}, uint64_t{40'000}, uint64_t{400'000}}) {
    std::string text = filled(bytes);
    const std::span<std::byte> data = std::as_writable_bytes(std::span(text));
    const double seen = share_seen(bytes, [&](uint32_t expert, uint64_t page) {
      const uint64_t before = packed_sample(expert, data);
      lose_page(data, page);
      const bool different = packed_sample(expert, data) != before;
      lose_page(data, page);
      return different;
    });
    EXPECT_NEAR(seen, page_share_of_sample(bytes), 0.15 * page_share_of_sample(bytes)) << bytes;
  }
}

TEST(Sample, SeesTheShareOfLostPagesThatItSaysOfGeneratedContent) {
  constexpr uint64_t kBytes = 400'000;
  const GeneratedContent content(1, 0);
  std::string text(kBytes, '\0');
  const std::span<std::byte> data = std::as_writable_bytes(std::span(text));
  const double seen = share_seen(kBytes, [&](uint32_t expert, uint64_t page) {
    const uint64_t offset = uint64_t{expert} << 20;
    if (page == 0) {
      content.fill(offset, data);
    }
    lose_page(data, page);
    const bool different = !content.matches_sample(offset, data);
    lose_page(data, page);
    return different;
  });
  EXPECT_NEAR(seen, page_share_of_sample(kBytes), 0.15 * page_share_of_sample(kBytes));
}

}  // namespace
}  // namespace spillway
