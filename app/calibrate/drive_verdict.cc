#include "app/calibrate/drive_verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/json.h"
#include "core/units.h"

namespace spillway {
namespace {

// A depth is enough if it reaches this share of the method's best speed: more reads in flight then add
// latency rather than speed.
constexpr double kNearlyBest = 0.95;

// Whatever reaches less than this share of the recommended speed is warned of.
constexpr double kMuchSlower = 0.75;

bool reads_from_the_drive(const AccessMethod& method) {
  return !method.name.ends_with(" warm");
}

// Returns the measured block size that is nearest to `bytes`, as a ratio.
uint64_t nearest_block(const std::vector<LoadPoint>& points, uint64_t bytes) {
  const auto distance = [bytes](const LoadPoint& point) {
    return std::abs(std::log(double(point.block_bytes) / double(std::max<uint64_t>(bytes, 1))));
  };
  return std::min_element(points.begin(), points.end(),
                          [&](const LoadPoint& a, const LoadPoint& b) { return distance(a) < distance(b); })
      ->block_bytes;
}

std::vector<LoadPoint> points_of(const AccessMethod& method, uint64_t expert_bytes) {
  const uint64_t block = nearest_block(method.random, expert_bytes);
  std::vector<LoadPoint> points = method.random;
  std::erase_if(points, [block](const LoadPoint& point) { return point.block_bytes != block; });
  return points;
}

double best_of(const std::vector<LoadPoint>& points) {
  double best = 0;
  for (const LoadPoint& point : points) {
    best = std::max(best, point.bytes_per_s);
  }
  return best;
}

}  // namespace

std::optional<DriveVerdict> judge(const DeviceProfile& profile, uint64_t expert_bytes) {
  const AccessMethod* fastest = nullptr;
  double best = 0;
  for (const AccessMethod& method : profile.methods) {
    if (reads_from_the_drive(method) && !method.random.empty()) {
      if (const double rate = best_of(points_of(method, expert_bytes)); rate > best) {
        best = rate;
        fastest = &method;
      }
    }
  }
  if (fastest == nullptr) {
    return std::nullopt;
  }
  DriveVerdict verdict = {.expert_bytes = expert_bytes, .method = fastest->name, .backend = fastest->backend};
  const std::vector<LoadPoint> points = points_of(*fastest, expert_bytes);
  const auto enough = std::find_if(points.begin(), points.end(), [&](const LoadPoint& point) {
    return point.bytes_per_s >= kNearlyBest * best;
  });
  verdict.block_bytes = enough->block_bytes;
  verdict.depth = enough->depth;
  verdict.bytes_per_s = enough->bytes_per_s;
  const auto warn = [&](std::string what, double rate) {
    if (rate < kMuchSlower * verdict.bytes_per_s) {
      verdict.avoid.push_back({std::move(what), rate});
    }
  };
  for (const LoadPoint& point : points) {
    if (point.depth < enough->depth && point.depth == points.front().depth) {
      warn(fmt::format("{} with {} in flight", fastest->name,
                       point.depth == 1 ? "one read" : fmt::format("{} reads", point.depth)),
           point.bytes_per_s);
    }
  }
  for (const AccessMethod& method : profile.methods) {
    if (&method != fastest && reads_from_the_drive(method) && !method.random.empty()) {
      warn(method.name, best_of(points_of(method, expert_bytes)));
    }
  }
  std::stable_sort(verdict.avoid.begin(), verdict.avoid.end(),
                   [](const DriveVerdict::Avoid& a, const DriveVerdict::Avoid& b) {
                     return a.bytes_per_s < b.bytes_per_s;
                   });
  return verdict;
}

std::string describe(const DriveVerdict& verdict) {
  std::string text = fmt::format("for experts of {}: {} with {} in flight, {:.2f} GB/s\n",
                                 exact_bytes(Bytes{verdict.expert_bytes}), verdict.method,
                                 verdict.depth == 1 ? "one read" : fmt::format("{} reads", verdict.depth),
                                 verdict.bytes_per_s / 1e9);
  std::string avoid;
  for (const DriveVerdict::Avoid& one : verdict.avoid) {
    avoid += fmt::format("{}{} ({:.2f} GB/s)", avoid.empty() ? "" : ", ", one.what, one.bytes_per_s / 1e9);
  }
  return avoid.empty() ? text : text + "avoid: " + avoid + "\n";
}

Json to_json(const DriveVerdict& verdict) {
  Json avoid = Json::array();
  for (const DriveVerdict::Avoid& one : verdict.avoid) {
    avoid.push_back({{"what", one.what}, {"bytes_per_s", one.bytes_per_s}});
  }
  return {{"expert_bytes", verdict.expert_bytes},
          {"block_bytes", verdict.block_bytes},
          {"method", verdict.method},
          {"backend", verdict.backend},
          {"depth", verdict.depth},
          {"bytes_per_s", verdict.bytes_per_s},
          {"avoid", avoid}};
}

}  // namespace spillway
