#include "backends/steady_load.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <limits>
#include <numeric>
#include <thread>

#include "backends/store_files.h"
#include "core/expects.h"
#include "core/rng.h"
#include "host/interrupt.h"
#include "host/linux/page_memory.h"

namespace spillway {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Size of a store's header and the unused room behind it. That room was perhaps never written and
// then costs no read.
constexpr uint64_t kHeader = 2 * kMiB;

// A slow drive is measured by few reads, but by at least one, for up to kLongest times the wanted duration. A
// drive that does not answer within kMostPatience is given up.
constexpr int kLongest = 20;
constexpr Nanoseconds kMostPatience = std::chrono::minutes(2);

}  // namespace

LoadPlaces::LoadPlaces(std::span<const uint64_t> sizes, uint64_t seed) : rng_state_(seed) {
  for (const uint64_t size : sizes) {
    const uint64_t begin = size >= 2 * kHeader ? kHeader : 0;
    files_.push_back({begin, size - begin});
    total_ += size - begin;
  }
}

Result<LoadPlaces> LoadPlaces::of_files(std::span<const std::string> files, uint64_t seed) {
  Result<StoreFiles> store = open_store_files(files, false);
  if (!store) {
    return propagate(store);
  }
  std::vector<uint64_t> sizes;
  for (const StoreFile& file : store->files) {
    sizes.push_back(file.bytes);
  }
  return LoadPlaces(sizes, seed);
}

uint64_t LoadPlaces::blocks_of(uint64_t bytes) const {
  uint64_t blocks = 0;
  for (const File& file : files_) {
    blocks += file.bytes / bytes;
  }
  return blocks;
}

void LoadPlaces::limit(uint64_t bytes) {
  total_ = 0;
  for (File& file : files_) {
    file.bytes = std::min(file.bytes, bytes - total_);
    total_ += file.bytes;
  }
}

void LoadPlaces::begin(uint64_t block, Order order) {
  block_ = block;
  order_ = order;
  blocks_ = 0;
  for (File& file : files_) {
    file.first_block = blocks_;
    blocks_ += file.bytes / block;
  }
  Expects(blocks_ > 0);
  at_ = Rng(rng_state_++).below(blocks_);
  // Steps by the golden section spread evenly for any number of blocks. A coprime step
  // visits every block once.
  stride_ = std::max<uint64_t>(1, uint64_t(double(blocks_) * 0.6180339887498949));
  while (std::gcd(stride_, blocks_) != 1) {
    ++stride_;
  }
}

void LoadPlaces::begin_stretch(uint64_t blocks) {
  stretch_ = std::clamp<uint64_t>(blocks, 1, blocks_);
  Rng rng(rng_state_++);
  stretch_begin_ = rng.below(blocks_ - stretch_ + 1);
  at_ = rng.below(stretch_);
  // Coprime steps: no block comes twice before all have come.
  do {
    stride_ = 1 + rng.below(stretch_);
  } while (std::gcd(stride_, stretch_) != 1);
}

ByteRange LoadPlaces::next() {
  switch (order_) {
    case Order::random:
      return range_of(Rng(rng_state_++).below(blocks_));
    case Order::scattered:
      at_ = (at_ + stride_) % blocks_;
      break;
    case Order::sequential:
      at_ = (at_ + 1) % blocks_;
      break;
    case Order::near:
      at_ = (at_ + stride_) % stretch_;
      return range_of(stretch_begin_ + at_);
  }
  return range_of(at_);
}

ByteRange LoadPlaces::range_of(uint64_t index) const {
  size_t file = files_.size() - 1;
  while (files_[file].first_block > index) {
    --file;
  }
  return {uint32_t(file), files_[file].begin + (index - files_[file].first_block) * block_, block_};
}

namespace {

// Lends places for blocks. A place is taken until its read completes, because a file system with checksums
// verifies the bytes where they lie, in the caller's memory. The place that has been free for the longest
// time comes first, so that the places go round all of the memory: a place that was just written is still in
// the processor's caches, and writing there again would be faster than a cache of gigabytes can ever be.
// Places begin on pages, as experts do.
class Destinations {
 public:
  Destinations(const Backend& backend, std::span<std::byte> memory, const SteadyLoad& load)
      : needed_(backend.caps().carries_bytes && !backend.caps().zero_copy) {
    const uint64_t stride = memory_for_load(load.block, 1);
    for (uint64_t at = 0; needed_ && at + stride <= memory.size(); at += stride) {
      free_.push_back(&memory[at]);
    }
    Expects(load.depth > 0 && load.depth <= backend.caps().depth && (!needed_ || free_.size() >= load.depth));
  }

  // Takes a place; nullptr for a backend that needs none.
  std::byte* take() {
    if (!needed_) {
      return nullptr;
    }
    std::byte* const place = free_.front();
    free_.pop_front();
    return place;
  }

  void give_back(std::byte* place) {
    if (needed_) {
      free_.push_back(place);
    }
  }

 private:
  bool needed_;
  std::deque<std::byte*> free_;
};

std::string reason(const Backend& backend, int error) {
  return error == 0 ? "" : backend.caps().fault.empty() ? error_text(error) : backend.caps().fault;
}

}  // namespace

uint64_t memory_for_load(uint64_t block, uint32_t depth) {
  return depth * round_up(block, kSmallPageBytes);
}

LoadResult run_load(Backend& backend, LoadPlaces& places, const SteadyLoad& load,
                    std::span<std::byte> memory) {
  LoadResult result;
  std::vector<IoDone> done(load.depth);
  std::vector<IoRequest> requests;
  std::vector<uint64_t> idle(load.depth);  // tags that are not in flight
  std::iota(idle.begin(), idle.end(), 0);
  struct Flight {
    SteadyClock::time_point submitted;
    bool steady;
    std::byte* destination;
  };
  std::vector<Flight> flights(load.depth);
  places.begin(load.block, load.order);
  Destinations destinations(backend, memory, load);

  const SteadyClock::time_point start = SteadyClock::now();
  SteadyClock::time_point first{};
  SteadyClock::time_point last{};
  uint64_t counted = 0;  // completions after the first
  // A block that is read a second time would come from the page cache.
  uint64_t left = load.order == LoadPlaces::Order::scattered ? places.blocks_of(load.block)
                                                             : std::numeric_limits<uint64_t>::max();
  bool steady = false;
  while (true) {
    const Nanoseconds elapsed = SteadyClock::now() - start;
    const bool enough = elapsed >= load.duration && result.latencies_ns.size() >= load.depth;
    const bool slow = elapsed >= kLongest * load.duration && !result.latencies_ns.empty();
    const bool over =
        enough || slow || left == 0 || elapsed >= kMostPatience || result.error != 0 || interrupted();
    if (over && idle.size() == load.depth) {
      break;
    }
    requests.clear();
    const SteadyClock::time_point now = SteadyClock::now();
    while (!over && !idle.empty() && left > 0) {
      --left;
      const uint64_t tag = idle.back();
      idle.pop_back();
      flights[tag] = {now, steady, destinations.take()};
      requests.push_back({tag, places.next(), flights[tag].destination});
    }
    result.requested_bytes += requests.size() * load.block;
    Ensures(backend.submit(requests) == requests.size());
    const size_t arrived = backend.reap(done, 1);
    const SteadyClock::time_point then = SteadyClock::now();
    for (const IoDone& one : std::span(done).first(arrived)) {
      idle.push_back(one.tag);
      destinations.give_back(flights[one.tag].destination);
      result.error = result.error != 0 ? result.error : one.error;
      if (!over && flights[one.tag].steady) {
        result.latencies_ns.push_back(double(Nanoseconds(then - flights[one.tag].submitted).count()));
      }
    }
    if (!over && steady) {
      counted += arrived;
      last = then;
    }
    if (!steady) {
      first = then;
      steady = true;
    }
  }
  if (counted > 0 && last > first) {
    result.bytes_per_s = double(counted * load.block) / seconds(last - first);
  }
  result.why = reason(backend, result.error);
  return result;
}

namespace {

// Waits as a run waits during computation. Sleeps end late, so the last stretch is spent spinning.
void idle_until(SteadyClock::time_point deadline) {
  constexpr Nanoseconds kAwake{100'000};
  std::this_thread::sleep_until(deadline - kAwake);
  while (SteadyClock::now() < deadline) {
  }
}

}  // namespace

LoadResult run_batches(Backend& backend, LoadPlaces& places, const SteadyLoad& load,
                       std::span<std::byte> memory) {
  LoadResult result;
  std::vector<IoDone> done(load.depth);
  std::vector<IoRequest> requests(load.depth);
  places.begin(load.block, LoadPlaces::Order::near);
  Destinations destinations(backend, memory, load);
  const SteadyClock::time_point start = SteadyClock::now();
  Nanoseconds reading{0};
  bool warm = false;
  while (result.error == 0 && !interrupted()) {
    places.begin_stretch(load.stretch);
    for (uint64_t i = 0; i < load.depth; ++i) {
      requests[i] = {i, places.next(), destinations.take()};
    }
    if (warm && load.pause.count() > 0) {
      idle_until(SteadyClock::now() + load.pause);
    }
    const SteadyClock::time_point begun = SteadyClock::now();
    Ensures(backend.submit(requests) == requests.size());
    for (size_t left = load.depth; left > 0;) {
      const size_t arrived = backend.reap(done, left);
      for (const IoDone& one : std::span(done).first(arrived)) {
        destinations.give_back(requests[one.tag].destination);
        result.error = result.error != 0 ? result.error : one.error;
      }
      left -= arrived;
    }
    const SteadyClock::time_point over = SteadyClock::now();
    result.requested_bytes += load.depth * load.block;
    if (warm) {
      result.latencies_ns.push_back(double(Nanoseconds(over - begun).count()));
      reading += over - begun;
    }
    warm = true;
    if (over - start >= load.duration && !result.latencies_ns.empty()) {
      break;
    }
  }
  if (reading.count() > 0) {
    result.bytes_per_s = double(result.latencies_ns.size() * load.depth * load.block) / seconds(reading);
  }
  result.why = reason(backend, result.error);
  return result;
}

bool tells_all_at_once(Backend& backend, LoadPlaces& places, std::span<std::byte> memory) {
  constexpr int kBatches = 5;
  constexpr uint32_t kFewest = 4;
  constexpr uint32_t kEnough = 8;
  constexpr uint64_t kSmall = 64 * kKiB;
  constexpr double kLate = 0.5;  // share of a batch's time after which the small read's report counts as late
  const SteadyLoad load = {.block = kMiB, .depth = std::min(kEnough, backend.caps().depth)};
  const bool fits = !backend.caps().carries_bytes || backend.caps().zero_copy ||
                    memory.size() >= memory_for_load(load.block, load.depth);
  if (load.depth < kFewest || places.blocks_of(load.block) == 0 || !fits) {
    return false;
  }
  std::vector<IoDone> done(load.depth);
  std::vector<IoRequest> requests(load.depth);
  places.begin(load.block, LoadPlaces::Order::random);
  Destinations destinations(backend, memory, load);
  int late = 0;
  for (int batch = 0; batch < kBatches; ++batch) {
    for (uint64_t i = 0; i < load.depth; ++i) {
      requests[i] = {i, places.next(), destinations.take()};
    }
    requests.front().range.bytes = kSmall;
    const SteadyClock::time_point begun = SteadyClock::now();
    Ensures(backend.submit(requests) == requests.size());
    SteadyClock::time_point small = begun;
    bool good = true;
    for (size_t left = load.depth; left > 0;) {
      const size_t arrived = backend.reap(done, 1);
      for (const IoDone& one : std::span(done).first(arrived)) {
        destinations.give_back(requests[one.tag].destination);
        small = one.tag == 0 ? SteadyClock::now() : small;
        good = good && one.error == 0;
      }
      left -= arrived;
    }
    if (!good || interrupted()) {
      return false;
    }
    late += seconds(small - begun) > kLate * seconds(SteadyClock::now() - begun) ? 1 : 0;
  }
  return late > kBatches / 2;
}

}  // namespace spillway
