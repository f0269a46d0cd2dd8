#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/rng.h"
#include "core/units.h"

namespace spillway {

// Decides which load a calibration measures next and for how long, so that all of it takes a given time: the
// loads that tell most come first, and what does not fit is left out.
class MeasuringPlan {
 public:
  struct Load {
    size_t group = 0;  // of loads that are only useful together; the lowest tells most
    // Loads that take the same time besides their reads: to open the file, to drop or fill the page cache.
    size_t kind = 0;
    uint64_t bytes_in_flight = 0;  // have to be read in any case
  };
  struct Next {
    size_t load = 0;
    Nanoseconds duration{0};
  };

  // Each load is measured up to `rounds` times. The first group is measured once however long that takes.
  MeasuringPlan(std::vector<Load> loads, uint32_t rounds, Nanoseconds time, uint64_t seed);

  // Returns the load to measure next; nothing once the time or the rounds are over. `spent` is the part of
  // the time that has passed, and `bytes_per_s` the best speed of the drive so far, 0 if it is not known.
  std::optional<Next> next(Nanoseconds spent, double bytes_per_s);

  // Reports that measuring `load` for `duration` took `cost` in all.
  void took(size_t load, Nanoseconds duration, Nanoseconds cost);

 private:
  double besides_s(size_t load, double bytes_per_s) const;
  bool begin_group(double spent_s, double bytes_per_s);
  bool begin_round();
  void enqueue(std::vector<size_t> loads);

  std::vector<Load> loads_;
  uint32_t rounds_;
  double time_s_;
  Rng rng_;
  std::vector<std::vector<size_t>> groups_;  // the loads of each group
  size_t next_group_ = 0;
  uint32_t round_ = 0;         // 0: the first, group by group
  std::vector<size_t> kept_;   // the loads of the groups that are measured
  std::vector<size_t> queue_;  // of this round, the next one last
  size_t begun_ = 0;           // measurements of this round
  std::optional<double> start_s_;
  // What a measurement takes besides its duration: of a load that was measured, and the mean of each kind.
  std::vector<std::optional<double>> own_s_;
  struct Mean {
    double sum_s = 0;
    size_t count = 0;
  };
  std::vector<Mean> kind_s_;
};

}  // namespace spillway
