#pragma once

#include <span>
#include <string>

#include "app/calibrate/calibration.h"
#include "core/geometry.h"
#include "runtime/steady_clock.h"
#include "stores/store.h"

namespace spillway {

// The sizes of a store's reads, with what `alignment` adds to them: the least, and the greatest if that is
// another. A little more than what was measured is read at the same rate.
std::vector<uint64_t> read_sizes(const ExpertStore& store, const ModelGeometry& geometry, uint64_t alignment);

// Measures the drive while a run uses it. A drive that others use drifts within seconds, so what it does
// before and after says little of what it did meanwhile: every second the run stands still, and its clock
// with it, while batches of the run's own sizes are read, each behind the one before, as a layer's misses
// are. Rounds at equal distances in the run's time, each of the same duration, make the mean latency over all
// of them that of the run.
class DriveWatch {
 public:
  // `backend` reads past the page cache, in multiples of `alignment`. `pause` is what the run computes
  // between one layer's reads and the next one's: a drive that had nothing to do for a fraction of a
  // millisecond may be slower to begin with.
  DriveWatch(const ExpertStore& store, const ModelGeometry& geometry, const BackendChoice& backend,
             uint64_t alignment, Nanoseconds pause, uint64_t seed);

  Result<void> open();

  // Measures once.
  Result<void> look();
  // Measures if the run's time has gone on far enough since the last time.
  Result<void> look_when_due(SteadyClock& clock);

  // What it took itself since the run began, of which the run knows nothing.
  double cpu_s() const { return cpu_s_; }
  double stolen_cpu_s() const { return stolen_cpu_s_; }
  uint64_t device_bytes() const { return device_bytes_; }
  void begin_run() { cpu_s_ = 0, stolen_cpu_s_ = 0, device_bytes_ = 0, last_look_ = Nanoseconds(0); }

  // The drive as it was over all looks, by the one method.
  Result<DeviceProfile> profile() { return calibration_.profile(); }

 private:
  Calibration calibration_;
  Nanoseconds last_look_{0};
  double cpu_s_ = 0;
  double stolen_cpu_s_ = 0;
  uint64_t device_bytes_ = 0;
};

}  // namespace spillway
