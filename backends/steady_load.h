#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/ports.h"

// Reads that measure a drive rather than fetch anything.
namespace spillway {

// Places in files to read blocks from, each file chosen by its share of the bytes.
class LoadPlaces {
 public:
  enum class Order {
    random,      // any block at any time
    scattered,   // far apart and none twice until all had their turn: what was read before is no help
    sequential,  // from a random place on
    near,        // at random within a stretch of the file that begin_stretch() chose
  };

  // `sizes` of the files in bytes, as IoRequest counts them.
  LoadPlaces(std::span<const uint64_t> sizes, uint64_t seed);

  // Opens `files` to see how large they are.
  static Result<LoadPlaces> of_files(std::span<const std::string> files, uint64_t seed);

  uint64_t blocks_of(uint64_t bytes) const;

  // Only the first `bytes` of what there is are read from now on.
  void limit(uint64_t bytes);

  // Begins a series of reads of `block` bytes; blocks_of(block) > 0.
  void begin(uint64_t block, Order order);
  // Of an order `near`: the next blocks lie within `blocks` of each other.
  void begin_stretch(uint64_t blocks);
  ByteRange next();

 private:
  struct File {
    uint64_t begin;
    uint64_t bytes;
    uint64_t first_block = 0;  // of the series, all files counted
  };
  ByteRange range_of(uint64_t index) const;

  std::vector<File> files_;
  uint64_t total_ = 0;
  uint64_t rng_state_ = 0;
  uint64_t block_ = 0;
  uint64_t blocks_ = 0;
  uint64_t at_ = 0;
  uint64_t stride_ = 1;
  uint64_t stretch_begin_ = 0;
  uint64_t stretch_ = 0;
  Order order_ = Order::random;
};

struct SteadyLoad {
  uint64_t block = 0;
  uint32_t depth = 0;
  LoadPlaces::Order order = LoadPlaces::Order::random;
  Nanoseconds duration{0};  // longer where so few reads take longer that nothing would be measured
  // Of run_batches():
  uint64_t stretch = 0;  // the blocks of a batch lie within so many of each other
  Nanoseconds pause{0};  // between the last read of a batch and the next batch
};

struct LoadResult {
  double bytes_per_s = 0;
  std::vector<double> latencies_ns;  // of reads that were submitted while the load was steady
  uint64_t requested_bytes = 0;      // all of them
  int error = 0;                     // errno of the first read that failed
};

// Keeps load.depth reads in flight and measures from the first completion on; what arrives after the drive is
// no longer kept busy does not count; a scattered load ends when every block was read, and any at an
// interrupt. `memory` is where the bytes go, at least one block; blocks in flight may share it, since nobody
// looks at them. The backend is attached and idle; it takes load.depth requests.
LoadResult run_load(Backend& backend, LoadPlaces& places, const SteadyLoad& load,
                    std::span<std::byte> memory);

// As run_load(), but in batches of load.depth reads, each batch begun when the last read of the one before is
// there: a layer's misses behind its barrier. A latency is that of a whole batch; its first reads find an
// idle drive.
LoadResult run_batches(Backend& backend, LoadPlaces& places, const SteadyLoad& load,
                       std::span<std::byte> memory);

// Whether no read is told of before the drive has nothing left to do: of a few batches, most tell of their
// first read, by far the smallest, together with the rest. On an attached, idle backend; waits for a few
// dozen MB. False where it cannot be seen: the backend takes fewer than four requests, the files are too
// small, a read failed, or at an interrupt.
bool tells_all_at_once(Backend& backend, LoadPlaces& places, std::span<std::byte> memory);

}  // namespace spillway
