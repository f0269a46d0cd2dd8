#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>

#include "app/calibrate/calibration.h"
#include "app/report/host.h"
#include "sim/calibration.h"

namespace spillway {
namespace {

// More than the processor's caches hold.
constexpr uint64_t kCopiedBytes = 256 * kMiB;

double measured_copy_rate(std::span<std::byte> memory, uint64_t seed) {
  constexpr int kCopies = 9;
  const size_t half = memory.size() / 2;
  std::vector<double> rates;
  for (int i = 0; i < kCopies; ++i) {
    const auto start = std::chrono::steady_clock::now();
    std::memcpy(memory.data() + (i % 2 == 0 ? half : 0), memory.data() + (i % 2 == 0 ? 0 : half), half);
    rates.push_back(double(half) / seconds(std::chrono::steady_clock::now() - start));
  }
  return bootstrap_median(rates, seed).middle;
}

// Removes every depth at which some block size could not be measured, so that the points form a full grid.
void drop_holes(std::vector<LoadPoint>& points) {
  std::map<uint32_t, size_t> sizes_at;
  size_t most = 0;
  for (const LoadPoint& point : points) {
    most = std::max(most, ++sizes_at[point.depth]);
  }
  std::erase_if(points, [&](const LoadPoint& point) { return sizes_at[point.depth] < most; });
}

}  // namespace

Result<DeviceProfile> Calibration::profile() {
  DeviceProfile profile;
  profile.name = describe_files(files_).device;
  profile.device = profile.name;
  profile.date = utc_date();
  profile.source = fmt::format("measured by spillway on {}", describe_host().cpu);
  std::vector<double> noise;
  for (Cell& cell : cells_) {
    if (cell.rates.empty()) {
      continue;
    }
    const MedianInterval rate = bootstrap_median(cell.rates, seed_);
    LoadPoint point;
    point.block_bytes = cell.block;
    point.depth = cell.depth;
    point.bytes_per_s = rate.middle;
    point.bytes_per_s_low = rate.low;
    point.bytes_per_s_high = rate.high;
    point.cpu_s_per_gb = cell.cpu_s / (double(cell.bytes) / 1e9);
    summarise_latency(cell.latencies_ns, point);
    if (methods_[cell.method].stretch > 0) {
      // These latencies are of whole batches. If a simulation drew each read of a batch from their spread,
      // the batch would wait for the slowest of many draws, so every quantile is set to the mean.
      point.latency_ns.fill(point.mean_latency_ns);
    }
    noise.push_back((rate.high - rate.low) / rate.middle);
    (cell.sequential ? results_[cell.method].sequential : results_[cell.method].random).push_back(point);
  }
  for (AccessMethod& method : results_) {
    drop_holes(method.random);
    if (!method.random.empty()) {
      profile.methods.push_back(std::move(method));
    }
  }
  profile.noise = noise.empty() ? 0 : bootstrap_median(noise, seed_).middle;
  profile.burst_bytes_per_s = burst_;
  profile.sustained_bytes_per_s = sustained_;
  profile.copy_bytes_per_s = measured_copy_rate(memory_.bytes().first(kCopiedBytes), seed_);
  if (profile.methods.empty()) {
    return failed("{}: no read finished while a load was steady; give the slow drive a longer measurement",
                  files_[0]);
  }
  for (const auto& fit : {fit_linear, fit_queueing}) {
    if (Result<FittedModel> found = fit(profile.methods[0]); found) {
      profile.fits.push_back(std::move(*found));
    }
  }
  return profile;
}

}  // namespace spillway
