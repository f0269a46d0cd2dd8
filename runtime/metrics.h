#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/digest.h"
#include "core/ports.h"

namespace spillway {

// Sums over one phase (prefill or decode) of a run.
struct PhaseMetrics {
  uint64_t passes = 0;
  uint64_t tokens = 0;
  uint64_t accesses = 0;  // distinct experts of each step
  uint64_t late = 0;      // their load was under way
  uint64_t hits = 0;      // their bytes were there
  uint64_t misses = 0;
  uint64_t bypasses = 0;        // misses that were read but not kept
  uint64_t bytes_demanded = 0;  // asked for by steps, hits included
  uint64_t evictions = 0;
  uint64_t bytes_missed = 0;  // demanded, neither there nor on their way
  uint64_t prefetches_issued = 0;
  uint64_t prefetches_useful = 0;  // there when they were demanded
  uint64_t prefetches_wasted = 0;  // never demanded
  uint64_t bytes_prefetched = 0;   // of the prefetches issued
  uint64_t bytes_wasted = 0;       // of the prefetches wasted
  Nanoseconds attention{0};
  Nanoseconds experts{0};
  Nanoseconds stall{0};
  Nanoseconds wall{0};                    // of complete passes
  std::vector<Nanoseconds> pass_latency;  // one per pass, in order

  double hit_ratio() const { return accesses == 0 ? 0.0 : double(hits) / double(accesses); }
  Nanoseconds compute() const { return attention + experts; }
  PhaseMetrics& operator+=(const PhaseMetrics& other);
};

// Sums up a run pass by pass. An interrupted pass has no latency and is left out; only its prefetches are
// counted. The first `warm_up_passes` decode passes are summed apart and not measured.
class Metrics final : public Observer {
 public:
  explicit Metrics(uint64_t warm_up_passes = 0) : warm_up_passes_(warm_up_passes) {}
  void on(const Event& event) override;
  void on_all(std::span<const Event> events) override;  // avoids a virtual call per event

  // Returns the decode passes so far, warm-up included. The sums below are copies.
  uint64_t decode_passes() const {
    return tallies_[warm_up_region].pass_latency.size() + tallies_[decode_region].pass_latency.size();
  }
  PhaseMetrics prefill() const { return sums(prefill_region); }
  PhaseMetrics decode() const { return sums(decode_region); }    // the measured passes
  PhaseMetrics warm_up() const { return sums(warm_up_region); }  // decode passes before measuring
  PhaseMetrics total() const;

 private:
  // Sums for each kind of event, without branches on the kind: no processor can predict whether a hit or
  // a miss comes next.
  struct Sum {
    uint64_t count = 0;
    uint64_t bytes = 0;
    Nanoseconds time{0};
  };
  using Sums = std::array<Sum, kEventKinds>;
  struct Tally {
    Sums by_kind{};
    uint64_t tokens = 0;
    std::vector<Nanoseconds> pass_latency;
  };

  enum Region : uint8_t { prefill_region, warm_up_region, decode_region };

  void end_pass(const Event& event);
  PhaseMetrics sums(Region region) const;

  uint64_t warm_up_passes_;
  Sums open_{};                   // since the last pass ended
  std::array<Tally, 3> tallies_;  // by region
};

// Returns the value below which `share` (0 to 1) of the values lie, by nearest rank, so that a quantile is
// always one of the measured values. Zero if there are no values.
Nanoseconds quantile(std::vector<Nanoseconds> values, double share);

// Passes each event on to the metrics and the digest, which every run has, and to further observers. The
// first two are called directly. A simulation has tens of millions of events a second, and virtual calls
// would cost as much as the work itself.
class Observers final : public Observer {
 public:
  // All arguments must outlive this object.
  Observers(Metrics& metrics, DecisionDigest& digest, std::vector<Observer*> others = {})
      : metrics_(metrics), digest_(digest), others_(std::move(others)) {}

  void on(const Event& event) override;
  void on_all(std::span<const Event> events) override;

 private:
  void tell_others(const Event& event);

  Metrics& metrics_;
  DecisionDigest& digest_;
  std::vector<Observer*> others_;
};

}  // namespace spillway
