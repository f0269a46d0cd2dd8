#include <cmath>

#include "tests/policies/lab.h"
#include "tests/policies/paper_policies.h"

// The policies from papers hit where the papers' own algorithms do.
namespace spillway {
namespace {

// Requests by Zipf's law whose favourites change places now and then, with scans through all pages in
// between: every list of every policy is put to use.
std::vector<uint32_t> zipf_requests(uint32_t pages, double exponent, size_t count, Rng& rng) {
  std::vector<double> cumulative;
  for (uint32_t rank = 1; rank <= pages; ++rank) {
    cumulative.push_back((cumulative.empty() ? 0 : cumulative.back()) + 1 / std::pow(rank, exponent));
  }
  uint32_t shift = 0;
  std::vector<uint32_t> requests;
  while (requests.size() < count) {
    const double at = rng.uniform() * cumulative.back();
    const auto rank = std::lower_bound(cumulative.begin(), cumulative.end(), at) - cumulative.begin();
    requests.push_back((uint32_t(rank) + shift) % pages);
    if (rng.below(1000) == 0) {
      shift += uint32_t(rng.below(pages));
    }
    if (rng.below(2000) == 0) {
      for (uint32_t page = 0; page < pages; ++page) {
        requests.push_back(page);
      }
    }
  }
  return requests;
}

// Expects every request to find its page in one cache exactly when it does in the other.
template <class MakePaper>
void expect_hits_of_the_paper(const std::string& spec, MakePaper make_paper) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    Rng rng(seed);
    const uint32_t pages = uint32_t(20 + rng.below(200));
    const size_t size = 2 + rng.below(pages - 2);
    const double exponent = 0.4 + rng.uniform();
    SCOPED_TRACE(testing::Message() << spec << ", seed " << seed << ": " << size << " of " << pages);
    const Lab lab(1, pages, 1);
    const auto policy = lab.eviction(spec, size);
    SlotCache cache(lab, *policy, size);
    auto paper = make_paper(size);
    size_t paper_hits = 0;
    for (const Step& step : page_references(lab, zipf_requests(pages, exponent, 10'000, rng))) {
      paper_hits += paper.request(index_of(step.experts[0])) ? 1 : 0;
      cache.run(step);
      ASSERT_EQ(cache.hits, paper_hits) << "request " << step.index;
    }
    EXPECT_GT(paper_hits, 0U);
    EXPECT_GT(cache.victims.size(), 0U);
  }
}

TEST(Clock, HitsAsTheCircleOfFramesDoes) {
  expect_hits_of_the_paper("clock", [](size_t size) { return PaperClock(size, 1, 1); });
  expect_hits_of_the_paper("clock:initial=0", [](size_t size) { return PaperClock(size, 0, 1); });
  expect_hits_of_the_paper("clock:bits=3", [](size_t size) { return PaperClock(size, 1, 7); });
  expect_hits_of_the_paper("clock:bits=2,initial=3", [](size_t size) { return PaperClock(size, 3, 3); });
}

TEST(Sieve, HitsAsThePapersAlgorithmDoes) {
  expect_hits_of_the_paper("sieve", [](size_t size) { return PaperSieve(size); });
}

TEST(S3Fifo, HitsAsThePapersAlgorithmDoes) {
  expect_hits_of_the_paper("s3fifo", [](size_t size) { return PaperS3Fifo(size, 0.1, 0.9); });
  expect_hits_of_the_paper("s3fifo:small=0.5,ghost=0.3",
                           [](size_t size) { return PaperS3Fifo(size, 0.5, 0.3); });
  expect_hits_of_the_paper("s3fifo:small=0.01", [](size_t size) { return PaperS3Fifo(size, 0.01, 0.9); });
}

TEST(Arc, HitsAsThePapersCasesDo) {
  expect_hits_of_the_paper("arc", [](size_t size) { return PaperArc(size); });
}

TEST(WTinyLfu, HitsAsThePaperDescribes) {
  expect_hits_of_the_paper("wtinylfu", [](size_t size) { return PaperWTinyLfu(size, 0.01, 0.8, 10); });
  expect_hits_of_the_paper("wtinylfu:window=0.3,protect=0.5,sample=3",
                           [](size_t size) { return PaperWTinyLfu(size, 0.3, 0.5, 3); });
}

}  // namespace
}  // namespace spillway
