#include "app/run/device_profile.h"

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

// get<uint32_t>() would wrap: no depth of that size is real, and 0 is refused.
uint32_t depth_of(const Json& json) {
  const auto depth = json.at("depth").get<uint64_t>();
  return depth > UINT32_MAX ? 0 : uint32_t(depth);
}

// nlohmann's at() and get() throw where a key is missing or of another type; load_device_profile() is their
// one door.
LoadPoint point_of(const Json& json) {
  LoadPoint point;
  point.block_bytes = json.at("block_bytes").get<uint64_t>();
  point.depth = depth_of(json);
  point.bytes_per_s = json.at("bytes_per_s").get<double>();
  point.bytes_per_s_low = json.at("bytes_per_s_low").get<double>();
  point.bytes_per_s_high = json.at("bytes_per_s_high").get<double>();
  point.mean_latency_ns = json.at("mean_latency_ns").get<double>();
  for (size_t i = 0; i < kLatencyQuantiles.size(); ++i) {
    point.latency_ns[i] =
        json.at("latency_quantiles_ns").at(fmt::format("{}", kLatencyQuantiles[i])).get<double>();
  }
  point.cpu_s_per_gb = json.at("cpu_s_per_gb").get<double>();
  point.requests = json.at("requests").get<uint64_t>();
  return point;
}

std::vector<LoadPoint> points_of(const Json& json) {
  std::vector<LoadPoint> points;
  for (const Json& point : json) {
    points.push_back(point_of(point));
  }
  return points;
}

DeviceProfile profile_of(const Json& json) {
  DeviceProfile profile;
  profile.name = json.at("name").get<std::string>();
  profile.source = json.at("source").get<std::string>();
  profile.device = json.at("device").get<std::string>();
  profile.date = json.at("date").get<std::string>();
  profile.burst_bytes_per_s = json.at("burst_bytes_per_s").get<double>();
  profile.sustained_bytes_per_s = json.at("sustained_bytes_per_s").get<double>();
  profile.copy_bytes_per_s = json.at("copy_bytes_per_s").get<double>();
  profile.noise = json.at("noise").get<double>();
  for (const Json& method : json.at("methods")) {
    profile.methods.push_back({method.at("name").get<std::string>(), method.at("backend").get<std::string>(),
                               depth_of(method), method.at("alignment").get<uint64_t>(),
                               points_of(method.at("random")), points_of(method.at("sequential")),
                               method.value("tells_all_at_once", false)});
  }
  for (const Json& fit : json.at("fits")) {
    profile.fits.push_back({fit.at("model").get<std::string>(), fit.at("spec").get<std::string>(),
                            fit.at("median_error").get<double>()});
  }
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
  Result<std::string> text = read_whole(path);
  if (!text) {
    return propagate(text);
  }
  try {
    const Json json = Json::parse(*text);
    if (!json.is_object() || json.value("schema", "") != kDeviceSchema) {
      return failed("{}: not a device profile ({}); spillway calibrate DIR -o FILE makes one", path,
                    kDeviceSchema);
    }
    DeviceProfile profile = profile_of(json);
    for (const AccessMethod& method : profile.methods) {
      if (method.depth == 0 || method.depth > 65536 || method.alignment == 0 || method.alignment > kMiB ||
          (method.alignment & (method.alignment - 1)) != 0) {
        return failed("{}: method '{}' has an impossible depth or alignment", path, method.name);
      }
    }
    return profile;
  } catch (const Json::exception& problem) {
    return failed("{}: not a usable device profile: {}", path, problem.what());
  }
}

}  // namespace spillway
