#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backends/steady_load.h"
#include "core/function_ref.h"
#include "core/plugins.h"
#include "core/result.h"
#include "core/rng.h"
#include "host/linux/page_memory.h"
#include "sim/profile.h"

namespace spillway {

// One way to read the drive, and the loads to measure it under.
struct MethodPlan {
  enum class Start {
    direct,  // past the page cache
    cold,    // through it, with the file's pages dropped before each measurement
    warm,    // through it, from pages that are there
  };
  std::string name;
  BackendChoice backend;
  Start start = Start::direct;
  std::vector<uint64_t> blocks;  // bytes, ascending
  std::vector<uint32_t> depths;  // ascending; those beyond what the backend takes are left out
  bool sequential = false;       // measure sequential reads as well
  // Not 0: a depth is that of a batch (run_batches), a latency a whole batch's, and its blocks lie within so
  // many.
  uint64_t stretch = 0;
  Nanoseconds pause{0};  // between two batches
};

// Measures `files`, round by round, into a profile of the drive that they lie on.
class Calibration {
 public:
  Calibration(std::span<const std::string> files, std::vector<MethodPlan> methods, uint64_t seed)
      : files_(files), planned_(std::move(methods)), seed_(seed), rng_(seed) {}

  // A method whose backend this machine refuses is left out, and a line on why goes to `refusals`.
  Result<void> open(std::vector<std::string>& refusals);
  size_t loads() const { return cells_.size(); }

  // The first of a series of large reads against its second half: caches inside a drive run out, and it grows
  // hot. Before all else, while the drive is at rest.
  Result<void> measure_burst_and_rest(Nanoseconds piece);

  // Every load once, in an order of its own. `duration` is of the round; sizes that take long may exceed it.
  Result<void> measure_round(Nanoseconds duration, FunctionRef<void()> measured_one);

  // Of all rounds so far. Fails where no read came back while a load was steady.
  Result<DeviceProfile> profile();

 private:
  // A load to measure, and what was measured of it.
  struct Cell {
    size_t method = 0;
    uint64_t block = 0;
    uint32_t depth = 0;
    bool sequential = false;
    std::vector<double> rates;  // one a round
    std::vector<double> latencies_ns;
    double cpu_s = 0;
    uint64_t bytes = 0;
  };

  Result<std::unique_ptr<Backend>> make_backend(const MethodPlan& method);
  Result<void> warm_up(Backend& backend);
  Result<void> see_how_reads_are_told();
  Result<void> measure(Cell& cell, Nanoseconds duration);
  Result<void> check_origin();

  std::span<const std::string> files_;
  std::vector<MethodPlan> planned_;
  uint64_t seed_;
  Rng rng_;                          // of the order
  std::vector<MethodPlan> methods_;  // those that this machine allows
  std::vector<AccessMethod> results_;
  std::vector<Cell> cells_;
  std::vector<size_t> order_;
  PageMemory memory_;
  std::optional<LoadPlaces> places_;
  std::optional<LoadPlaces> warm_places_;
  uint64_t direct_bytes_ = 0;     // asked for past the page cache
  uint64_t delivered_bytes_ = 0;  // meanwhile, by the device
  bool counted_ = true;
  bool told_seen_ = false;
  double burst_ = 0;
  double sustained_ = 0;
};

}  // namespace spillway
