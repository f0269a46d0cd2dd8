#pragma once

#include <span>
#include <string>

#include "app/calibrate/calibration.h"
#include "core/geometry.h"
#include "runtime/steady_clock.h"
#include "stores/store.h"

namespace spillway {

// Returns the smallest and the largest size of a store's reads, each rounded out to `alignment`. Returns
// only the smallest if the largest exceeds it by no more than a sixteenth, since both are then read at the
// same rate.
std::vector<uint64_t> read_sizes(const ExpertStore& store, const ModelGeometry& geometry, uint64_t alignment);

// Measures the drive while a run uses it. A shared drive drifts within seconds, so measurements before and
// after the run say little about the drive during the run. Therefore the run and its clock stop once a
// second while batches of reads of the run's own sizes are measured. The batches follow one another as a
// layer's misses do. The rounds are equally spaced in the run's time and equally long, so their mean latency
// is the run's.
class DriveWatch {
 public:
  // Prepares the measurement. `backend` reads past the page cache, in multiples of `alignment`. `pause` is
  // the time that the run computes between the reads of two layers: a drive that was idle for a fraction of a
  // millisecond may start more slowly.
  DriveWatch(const ExpertStore& store, const ModelGeometry& geometry, const BackendChoice& backend,
             uint64_t alignment, Nanoseconds pause, uint64_t seed);

  Result<void> open();

  // Measures the drive once.
  Result<void> look();
  // Measures if the run's clock has advanced by a second since the last measurement.
  Result<void> look_when_due(SteadyClock& clock);

  // Resources that the measurements themselves used since begin_run(). The run's own counts include these
  // amounts, so they must be subtracted.
  double cpu_s() const { return cpu_s_; }
  double stolen_cpu_s() const { return stolen_cpu_s_; }
  uint64_t device_bytes() const { return device_bytes_; }
  void begin_run() { cpu_s_ = 0, stolen_cpu_s_ = 0, device_bytes_ = 0, last_look_ = Nanoseconds(0); }

  // Returns the profile of the drive over all measurements, with its only method.
  Result<DeviceProfile> profile() { return calibration_.profile(); }

 private:
  Calibration calibration_;
  Nanoseconds last_look_{0};
  double cpu_s_ = 0;
  double stolen_cpu_s_ = 0;
  uint64_t device_bytes_ = 0;
};

}  // namespace spillway
