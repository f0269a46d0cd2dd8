#pragma once

#include <cstdint>

#include "core/plugin.h"
#include "core/ports.h"

// The families of plug-ins, and the environment that each family's members are made from.
namespace spillway {

struct PolicyEnv {
  const SourceInfo* source = nullptr;  // must outlive the policy that is made
  uint64_t capacity_bytes = 0;         // the cache's budget
  uint64_t seed = 0;
  const StepSeries* future = nullptr;  // the steps of the run, where known beforehand; must outlive it too
};

using EvictionPlugin = Plugin<EvictionPolicy, PolicyEnv>;
using EvictionFamily = Family<EvictionPolicy, PolicyEnv>;
using EvictionChoice = Choice<EvictionPolicy, PolicyEnv>;

using PrefetchPlugin = Plugin<Prefetcher, PolicyEnv>;
using PrefetchFamily = Family<Prefetcher, PolicyEnv>;
using PrefetchChoice = Choice<Prefetcher, PolicyEnv>;

struct BackendEnv {
  std::span<const std::string> files;  // of the store; IoRequest::range.file is an index into them
};

using BackendPlugin = Plugin<Backend, BackendEnv>;
using BackendFamily = Family<Backend, BackendEnv>;
using BackendChoice = Choice<Backend, BackendEnv>;

struct AccessMethod;  // sim/profile.h

struct DeviceEnv {
  uint64_t seed = 0;
  const AccessMethod* measured = nullptr;  // measurements of the simulated drive, if it was calibrated
  bool usual = false;                      // leaves out the drive's slow moments: no random choices
};

using DevicePlugin = Plugin<DeviceModel, DeviceEnv>;
using DeviceFamily = Family<DeviceModel, DeviceEnv>;
using DeviceChoice = Choice<DeviceModel, DeviceEnv>;

}  // namespace spillway
