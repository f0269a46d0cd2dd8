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
using EvictionFamily = Family<EvictionPolicy, PolicyEnv>;
using EvictionChoice = Choice<EvictionPolicy, PolicyEnv>;

using PrefetchPlugin = Plugin<Prefetcher, PolicyEnv>;
using PrefetchFamily = Family<Prefetcher, PolicyEnv>;
using PrefetchChoice = Choice<Prefetcher, PolicyEnv>;

struct BackendEnv {
  std::span<const std::string> files;  // the store's; IoRequest::range.file indexes it
};

using BackendPlugin = Plugin<Backend, BackendEnv>;
using BackendFamily = Family<Backend, BackendEnv>;
using BackendChoice = Choice<Backend, BackendEnv>;

struct AccessMethod;  // sim/profile.h

struct DeviceEnv {
  uint64_t seed = 0;
  const AccessMethod* measured = nullptr;  // of the drive that is meant, if it was calibrated
  bool usual = false;                      // the drive without its slow moments: no random draws
};

using DevicePlugin = Plugin<DeviceModel, DeviceEnv>;
using DeviceFamily = Family<DeviceModel, DeviceEnv>;
using DeviceChoice = Choice<DeviceModel, DeviceEnv>;

}  // namespace spillway
