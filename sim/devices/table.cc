#include "sim/devices/table.h"

#include <algorithm>
#include <cmath>

#include "core/plugins.h"
#include "sim/calibration.h"

namespace spillway {
namespace {

// The place of a value among ascending knots: between knots `index` and `index + 1`, `along` of the way.
struct Place {
  size_t index = 0;
  double along = 0;
};

Place place_among(const std::vector<double>& knots, double x) {
  if (knots.size() == 1 || x <= knots.front()) {
    return {};
  }
  const size_t above = size_t(std::upper_bound(knots.begin(), knots.end(), x) - knots.begin());
  const size_t index = std::min(above, knots.size() - 1) - 1;
  return {index, std::min(1.0, (x - knots[index]) / (knots[index + 1] - knots[index]))};
}

// Returns the value at the share `u` of the distribution, linear between the quantiles.
double at_share(const LatencyQuantiles& values, double u) {
  size_t upper = 1;
  while (upper + 1 < values.size() && u > kLatencyQuantiles[upper]) {
    ++upper;
  }
  const double width = kLatencyQuantiles[upper] - kLatencyQuantiles[upper - 1];
  const double along = (u - kLatencyQuantiles[upper - 1]) / width;
  return values[upper - 1] + along * (values[upper] - values[upper - 1]);
}

// Divides the values by the mean of what at_share() draws, so that drawing keeps the expected latency.
LatencyQuantiles normalised(const LatencyQuantiles& values) {
  const double mean = mean_up_to(1, values);
  LatencyQuantiles spread = values;
  for (double& value : spread) {
    value = mean > 0 ? value / mean : 1;
  }
  return spread;
}

}  // namespace

Result<TableDevice> TableDevice::make(const AccessMethod& method, const Options& options, uint64_t seed) {
  TableDevice device;
  device.tail_ = options.tail;
  device.rng_ = Rng(seed);
  for (const LoadPoint& point : method.random) {
    const double block = std::log2(double(point.block_bytes));
    const double depth = std::log2(double(point.depth));
    const size_t row = device.log_latency_.size();
    constexpr double kHour = 3600e9;
    if (point.block_bytes == 0 || point.depth == 0 || !(point.mean_latency_ns > 0) ||
        point.mean_latency_ns > kHour) {
      return failed(
          "the profile's '{}' has a point without size, depth or latency, or with a latency of more than an "
          "hour; "
          "calibrate again",
          method.name);
    }
    if (device.blocks_.empty() || device.blocks_.back() != block) {
      device.blocks_.push_back(block);
    }
    if (device.blocks_.size() == 1) {
      device.depths_.push_back(depth);
    }
    const size_t column = device.depths_.empty() ? 0 : row % device.depths_.size();
    if (row / device.depths_.size() + 1 != device.blocks_.size() || device.depths_[column] != depth) {
      return failed("the profile's '{}' is not a full grid: {} bytes at depth {} is out of order",
                    method.name, point.block_bytes, point.depth);
    }
    device.log_latency_.push_back(std::log2(point.mean_latency_ns));
    device.spread_.push_back(normalised(point.latency_ns));
  }
  const bool ascending = std::is_sorted(device.blocks_.begin(), device.blocks_.end()) &&
                         std::is_sorted(device.depths_.begin(), device.depths_.end());
  if (device.log_latency_.empty() || !ascending ||
      device.log_latency_.size() != device.blocks_.size() * device.depths_.size()) {
    return failed("the profile's '{}' is not a full grid of block sizes and depths; calibrate again",
                  method.name);
  }
  return device;
}

double TableDevice::latency_ns(double bytes, double load) const {
  const double block = std::log2(bytes);
  const double depth = std::log2(load);
  const Place row = place_among(blocks_, block);
  const Place column = place_among(depths_, depth);
  const auto at = [&](size_t r, size_t c) {
    return log_latency_[std::min(r, blocks_.size() - 1) * depths_.size() + std::min(c, depths_.size() - 1)];
  };
  const auto along_row = [&](size_t r) {
    return at(r, column.index) + column.along * (at(r, column.index + 1) - at(r, column.index));
  };
  const double inside = along_row(row.index) + row.along * (along_row(row.index + 1) - along_row(row.index));
  const double beyond = std::max(0.0, block - blocks_.back()) + std::max(0.0, depth - depths_.back());
  return std::exp2(inside + beyond);
}

// Returns the factor by which latency differs from its mean: the latency of the nearest measured point at the
// share `luck_` of its distribution.
double TableDevice::tail_factor(double bytes, double load) const {
  const Place row = place_among(blocks_, std::log2(bytes));
  const Place column = place_among(depths_, std::log2(load));
  const size_t r = std::min(row.index + (row.along > 0.5 ? 1 : 0), blocks_.size() - 1);
  const size_t c = std::min(column.index + (column.along > 0.5 ? 1 : 0), depths_.size() - 1);
  return at_share(spread_[r * depths_.size() + c], luck_);
}

Nanoseconds TableDevice::finish(const IoRequest& request, Nanoseconds now) {
  std::erase_if(in_flight_, [&](const InFlight& other) {
    const bool over = other.finish <= now;
    bytes_in_flight_ -= over ? other.bytes : 0;
    return over;
  });
  const uint64_t bytes = std::max<uint64_t>(request.range.bytes, 1);
  bytes_in_flight_ += bytes;
  const double mean = double(bytes_in_flight_) / double(in_flight_.size() + 1);
  const double size = std::max(double(bytes), mean);
  const double load = double(bytes_in_flight_) / size;
  if (tail_ && drawn_at_ != now) {
    // One draw serves all requests of one instant: a disturbance that slows one request of a batch, such as
    // another user or the drive's housekeeping, slows the others too. How much a request
    // is slowed still depends on its size and on the load that it meets.
    luck_ = rng_.uniform();
    drawn_at_ = now;
  }
  const double factor = tail_ ? tail_factor(size, load) : 1;
  const double latency = factor * latency_ns(size, load);
  const Nanoseconds finish = now + Nanoseconds(std::max<int64_t>(1, std::llround(latency)));
  in_flight_.push_back({finish, bytes});
  return finish;
}

namespace device {
namespace {

Result<std::unique_ptr<DeviceModel>> make(const TableDevice::Options& options, const DeviceEnv& env) {
  if (env.measured == nullptr) {
    return wrong_usage(
        "table: this model needs measurements; give --device PROFILE.json, written by spillway calibrate -o "
        "PROFILE.json");
  }
  Result<TableDevice> made = TableDevice::make(*env.measured, {.tail = options.tail && !env.usual}, env.seed);
  if (!made) {
    return propagate(made);
  }
  return std::make_unique<TableDevice>(std::move(*made));
}

}  // namespace

DevicePlugin table() {
  return plugin("table", "the latencies that calibrate measured, by size and load", make,
                {.needs_profile = true});
}

}  // namespace device
}  // namespace spillway
