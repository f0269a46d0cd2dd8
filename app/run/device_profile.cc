#include "app/run/device_profile.h"

#include "app/cli/json_file.h"
#include "app/cli/json_keys.h"
#include "core/json.h"
#include "host/file.h"

namespace spillway {
namespace {

constexpr const char* kDeviceSchema = "spillway.device/1";

Json to_json(const LoadPoint& point) {
  Json quantiles = Json::object();
  for (size_t i = 0; i < kLatencyQuantiles.size(); ++i) {
    quantiles[fmt::format("{}", kLatencyQuantiles[i])] = point.latency_ns[i];
  }
  return {{"block_bytes", point.block_bytes},
          {"depth", point.depth},
          {"bytes_per_s", point.bytes_per_s},
          {"bytes_per_s_low", point.bytes_per_s_low},
          {"bytes_per_s_high", point.bytes_per_s_high},
          {"mean_latency_ns", point.mean_latency_ns},
          {"latency_quantiles_ns", quantiles},
          {"cpu_s_per_gb", point.cpu_s_per_gb},
          {"requests", point.requests}};
}

Json to_json(const std::vector<LoadPoint>& points) {
  Json list = Json::array();
  for (const LoadPoint& point : points) {
    list.push_back(to_json(point));
  }
  return list;
}

LoadPoint point_of(JsonKeys& keys) {
  LoadPoint point;
  point.block_bytes = keys.large_count("block_bytes");
  point.depth = keys.count("depth");
  point.bytes_per_s = keys.real("bytes_per_s");
  point.bytes_per_s_low = keys.real("bytes_per_s_low");
  point.bytes_per_s_high = keys.real("bytes_per_s_high");
  point.mean_latency_ns = keys.real("mean_latency_ns");
  JsonKeys quantiles = keys.child("latency_quantiles_ns");
  for (size_t i = 0; i < kLatencyQuantiles.size(); ++i) {
    point.latency_ns[i] = quantiles.real(fmt::format("{}", kLatencyQuantiles[i]).c_str());
  }
  point.cpu_s_per_gb = keys.real("cpu_s_per_gb");
  point.requests = keys.large_count("requests");
  return point;
}

std::vector<LoadPoint> points_of(JsonKeys& method, const char* key) {
  std::vector<LoadPoint> points;
  method.each(key, [&](JsonKeys& point) { points.push_back(point_of(point)); });
  return points;
}

AccessMethod method_of(JsonKeys& keys) {
  AccessMethod method{keys.text("name"),
                      keys.text("backend"),
                      keys.count("depth"),
                      keys.large_count("alignment"),
                      points_of(keys, "random"),
                      points_of(keys, "sequential"),
                      keys.flag("tells_all_at_once", false)};
  if (method.depth == 0 || method.depth > 65536) {
    keys.wanted("depth", "from 1 to 65536");
  }
  if (method.alignment == 0 || method.alignment > kMiB || (method.alignment & (method.alignment - 1)) != 0) {
    keys.wanted("alignment", "a power of two of at most 1048576");
  }
  return method;
}

DeviceProfile profile_of(JsonKeys& keys) {
  DeviceProfile profile;
  profile.name = keys.text("name");
  profile.source = keys.text("source");
  profile.device = keys.text("device");
  profile.date = keys.text("date");
  profile.burst_bytes_per_s = keys.real("burst_bytes_per_s");
  profile.sustained_bytes_per_s = keys.real("sustained_bytes_per_s");
  profile.copy_bytes_per_s = keys.real("copy_bytes_per_s");
  profile.noise = keys.real("noise");
  keys.each("methods", [&](JsonKeys& method) { profile.methods.push_back(method_of(method)); });
  keys.each("fits", [&](JsonKeys& fit) {
    profile.fits.push_back({fit.text("model"), fit.text("spec"), fit.real("median_error")});
  });
  return profile;
}

}  // namespace

Json to_json(const DeviceProfile& profile) {
  Json json = {{"schema", kDeviceSchema},
               {"name", profile.name},
               {"source", profile.source},
               {"device", profile.device},
               {"date", profile.date},
               {"burst_bytes_per_s", profile.burst_bytes_per_s},
               {"sustained_bytes_per_s", profile.sustained_bytes_per_s},
               {"copy_bytes_per_s", profile.copy_bytes_per_s},
               {"noise", profile.noise},
               {"fits", Json::array()},
               {"methods", Json::array()}};
  for (const FittedModel& fit : profile.fits) {
    json["fits"].push_back({{"model", fit.model}, {"spec", fit.spec}, {"median_error", fit.median_error}});
  }
  for (const AccessMethod& method : profile.methods) {
    json["methods"].push_back({{"name", method.name},
                               {"backend", method.backend},
                               {"depth", method.depth},
                               {"alignment", method.alignment},
                               {"tells_all_at_once", method.tells_all_at_once},
                               {"random", to_json(method.random)},
                               {"sequential", to_json(method.sequential)}});
  }
  return json;
}

Result<DeviceProfile> load_device_profile(const std::string& path) {
  const Result<Json> json = read_json(path, kMostDocumentBytes);
  if (!json) {
    return failed("{}", json.error().message);
  }
  JsonKeys keys(*json);
  if (keys.text("schema", "") != kDeviceSchema) {
    return failed("{}: not a device profile ({}); spillway calibrate DIR -o FILE makes one", path,
                  kDeviceSchema);
  }
  DeviceProfile profile = profile_of(keys);
  if (keys.problem()) {
    return failed("{}: not a usable device profile: {}", path, keys.problem()->message);
  }
  return profile;
}

}  // namespace spillway
