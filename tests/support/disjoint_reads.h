#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "core/ports.h"

namespace spillway::testing {

// Stands before a backend and looks at the memory that its reads write to, as a file system with checksums
// does: it verifies the bytes in the reader's own memory, where no other read may write meanwhile.
class DisjointReads final : public Backend {
 public:
  // Adds to `sum`, where there is one, the overlaps when the object ends.
  explicit DisjointReads(std::unique_ptr<Backend> below, uint64_t* sum = nullptr)
      : below_(std::move(below)), sum_(sum) {}
  ~DisjointReads() override {
    if (sum_ != nullptr) {
      *sum_ += overlaps;
    }
  }

  DisjointReads(const DisjointReads&) = delete;
  DisjointReads& operator=(const DisjointReads&) = delete;

  const BackendCaps& caps() const override { return below_->caps(); }
  Result<void> attach(std::span<std::byte> memory) override { return below_->attach(memory); }
  size_t submit(std::span<const IoRequest> requests) override {
    // Before the backend has them: its reads may begin at once.
    for (const IoRequest& request : requests) {
      for (const IoRequest& other : in_flight_) {
        overlaps += share_memory(request, other) ? 1 : 0;
      }
      in_flight_.push_back(request);
    }
    const size_t accepted = below_->submit(requests);
    in_flight_.resize(in_flight_.size() - (requests.size() - accepted));
    most_in_flight = std::max(most_in_flight, in_flight_.size());
    return accepted;
  }
  size_t reap(std::span<IoDone> out, size_t at_least) override {
    const size_t count = below_->reap(out, at_least);
    for (const IoDone& done : out.first(count)) {
      std::erase_if(in_flight_, [&](const IoRequest& request) { return request.tag == done.tag; });
    }
    reads += count;
    return count;
  }
  void release(const ByteRange& range) override { below_->release(range); }

  uint64_t reads = 0;
  uint64_t overlaps = 0;  // pairs of reads that were in flight into the same memory
  size_t most_in_flight = 0;

 private:
  static bool share_memory(const IoRequest& a, const IoRequest& b) {
    return a.destination != nullptr && b.destination != nullptr &&
           a.destination < b.destination + b.range.bytes && b.destination < a.destination + a.range.bytes;
  }

  std::unique_ptr<Backend> below_;
  uint64_t* sum_;
  std::vector<IoRequest> in_flight_;
};

}  // namespace spillway::testing
