#pragma once

#include <cstdint>

#include "core/plugin.h"
#include "core/ports.h"

// The families of plug-ins and what each may use to be made.
namespace spillway {

struct PolicyEnv {
  const SourceInfo* source = nullptr;  // outlives what is made
  uint64_t capacity_bytes = 0;         // the cache's budget
  uint64_t seed = 0;
  const StepSeries* future = nullptr;  // the steps that the run will take, where they are known; outlives too
};

using EvictionPlugin = Plugin<EvictionPolicy, PolicyEnv>;
using PrefetchPlugin = Plugin<Prefetcher, PolicyEnv>;

struct BackendEnv {
  std::span<const std::string> files;  // the store's; IoRequest::range.file indexes it
};

using BackendPlugin = Plugin<Backend, BackendEnv>;

struct AccessMethod;  // sim/profile.h

struct DeviceEnv {
  uint64_t seed = 0;
  const AccessMethod* measured = nullptr;  // of the drive that is meant, if it was calibrated
};

using DevicePlugin = Plugin<DeviceModel, DeviceEnv>;

}  // namespace spillway
