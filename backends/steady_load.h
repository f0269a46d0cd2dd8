#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/ports.h"

// Reads whose purpose is to measure a drive; their data is ignored.
namespace spillway {

// Chooses blocks of files to read, each file by its share of the bytes.
class LoadPlaces {
 public:
  enum class Order {
    random,      // any block at any time
    scattered,   // far apart, none twice before all had their turn: earlier reads are no help
    sequential,  // one after the other, from a random block on
    near,        // at random within a stretch of the file that begin_stretch() chose
  };

  // `sizes` are the sizes of the files in bytes, in the order that IoRequest::range.file counts.
  LoadPlaces(std::span<const uint64_t> sizes, uint64_t seed);

  // Opens `files` to find out their sizes.
  static Result<LoadPlaces> of_files(std::span<const std::string> files, uint64_t seed);

  // Returns how many blocks of `bytes` bytes the files have.
  uint64_t blocks_of(uint64_t bytes) const;

  // Restricts all further reads to the first `bytes` bytes of the files.
  void limit(uint64_t bytes);

  // Begins a series of reads of `block` bytes; blocks_of(block) must be above 0.
  void begin(uint64_t block, Order order);
  // For the order `near`: chooses a stretch of `blocks` blocks, within which the next blocks lie.
  void begin_stretch(uint64_t blocks);
  ByteRange next();

 private:
  struct File {
    uint64_t begin;
    uint64_t bytes;
    uint64_t first_block = 0;  // its number in the series, which counts through all files
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
  Nanoseconds duration{0};  // extended on slow drives, which would else complete too few reads to measure
  // For run_batches():
  uint64_t stretch = 0;  // the blocks of a batch lie within this many blocks
  Nanoseconds pause{0};  // between the last read of a batch and the next batch
};

struct LoadResult {
  double bytes_per_s = 0;
  std::vector<double> latencies_ns;  // of reads that were submitted while the load was steady
  uint64_t requested_bytes = 0;      // of all reads
  int error = 0;                     // errno of the first read that failed; 0: none
  std::string why = {};              // says it in words; empty without an error
};

// Returns the memory that a load of `depth` reads of `block` bytes needs: each read in flight has a place of
// its own, which begins on a page.
uint64_t memory_for_load(uint64_t block, uint32_t depth);

// Keeps load.depth reads in flight and measures from the first completion on. Completions after the drive is
// no longer kept busy do not count. A scattered load ends when every block was read; any load ends at an
// interrupt. The bytes go into `memory`, at least memory_for_load(load.block, load.depth) unless the backend
// needs no destinations; no two reads in flight share any of it. The backend must be attached, idle, and able
// to take load.depth requests.
LoadResult run_load(Backend& backend, LoadPlaces& places, const SteadyLoad& load,
                    std::span<std::byte> memory);

// As run_load(), but in batches of load.depth reads. Each batch begins when the last read of the previous
// batch is complete, as a layer's misses do behind its barrier. A latency is that of a whole batch, whose
// first reads find an idle drive.
LoadResult run_batches(Backend& backend, LoadPlaces& places, const SteadyLoad& load,
                       std::span<std::byte> memory);

// Returns true if the drive reports completions only once it is idle. Measures a few batches whose first read
// is by far the smallest: on such a drive, most batches report that read together with the rest. Needs an
// attached, idle backend and reads a few dozen MB. Returns false if the question cannot be answered: the
// backend takes fewer than four requests, the files or the memory are too small, a read failed, or at an
// interrupt.
bool tells_all_at_once(Backend& backend, LoadPlaces& places, std::span<std::byte> memory);

}  // namespace spillway
