#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "app/calibrate/measuring_plan.h"
#include "backends/steady_load.h"
#include "core/function_ref.h"
#include "core/plugins.h"
#include "core/result.h"
#include "core/rng.h"
#include "host/linux/page_memory.h"
#include "sim/profile.h"

namespace spillway {

// One way to read the drive, and the loads under which it is measured.
struct MethodPlan {
  enum class Start {
    direct,  // past the page cache
    cold,    // through the page cache, with the file's pages dropped before each measurement
    warm,    // through the page cache, from pages that it holds
  };
  std::string name;
  BackendChoice backend;
  Start start = Start::direct;
  std::vector<uint64_t> blocks;  // bytes, ascending
  std::vector<uint32_t> depths;  // ascending; depths beyond the backend's limit or the memory are left out
  bool sequential = false;       // measure sequential reads as well
  // If not 0, reads are measured in batches (run_batches): `depth` is then the reads of a batch, the latency
  // is that of a whole batch, and the blocks of a batch lie within `stretch` blocks of each other.
  uint64_t stretch = 0;
  Nanoseconds pause{0};  // between two batches
};

// Measures `files`, round by round, and makes a profile of the drive on which they lie.
class Calibration {
 public:
  Calibration(std::span<const std::string> files, std::vector<MethodPlan> methods, uint64_t seed)
      : files_(files), planned_(std::move(methods)), seed_(seed), rng_(seed) {}

  // Opens the backends and lists the loads. A method whose backend this machine refuses is left out, and a
  // line with the reason is added to `refusals`.
  Result<void> open(std::vector<std::string>& refusals);

  // Measures a series of large reads for about `time` and compares the first with the second half: caches
  // inside a drive fill up, and the drive grows hot. Must come before all other measurements, while the drive
  // is still at rest.
  Result<void> measure_burst_and_rest(Nanoseconds time);

  // Measures up to `rounds` rounds until `time` has passed since `start`. Loads for which no time was left
  // are named in a line that is added to `left_out`. Calls `tell` with the time that has passed.
  Result<void> measure_until(std::chrono::steady_clock::time_point start, Nanoseconds time, uint32_t rounds,
                             FunctionRef<void(Nanoseconds)> tell, std::vector<std::string>& left_out);

  // Measures every load once, in a random order. `duration` is the round's; block sizes that take long may
  // exceed it.
  Result<void> measure_round(Nanoseconds duration);

  // Returns the profile from all rounds so far. Fails if no read finished while a load was steady.
  Result<DeviceProfile> profile();

 private:
  // A load, and its measurements.
  struct Cell {
    size_t method = 0;
    uint64_t block = 0;
    uint32_t depth = 0;
    bool sequential = false;
    bool measured = false;
    std::vector<double> rates = {};  // one for each round
    std::vector<double> latencies_ns = {};
    double cpu_s = 0;
    uint64_t bytes = 0;
  };

  Result<std::unique_ptr<Backend>> make_backend(const MethodPlan& method, uint64_t memory);
  Result<uint64_t> add_method(const MethodPlan& method, const BackendCaps& caps, uint64_t most_memory,
                              std::vector<std::string>& refusals);
  Result<void> warm_up(Backend& backend);
  Result<void> see_how_reads_are_told();
  Result<void> measure(Cell& cell, Nanoseconds duration);
  std::vector<MeasuringPlan::Load> loads_by_group() const;
  std::string unmeasured() const;
  Result<void> check_origin();

  std::span<const std::string> files_;
  std::vector<MethodPlan> planned_;
  uint64_t seed_;
  Rng rng_;                          // decides the order of the loads
  std::vector<MethodPlan> methods_;  // the planned methods that this machine allows
  std::vector<AccessMethod> results_;
  std::vector<Cell> cells_;
  std::vector<size_t> order_;
  PageMemory memory_;
  std::optional<LoadPlaces> places_;
  std::optional<LoadPlaces> warm_places_;
  uint64_t direct_bytes_ = 0;     // requested past the page cache
  uint64_t delivered_bytes_ = 0;  // delivered by the device for these requests
  bool counted_ = true;
  bool told_seen_ = false;
  double burst_ = 0;
  double sustained_ = 0;
  double best_bytes_per_s_ = 0;  // of any read past the page cache so far
};

}  // namespace spillway
