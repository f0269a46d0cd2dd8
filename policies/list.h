#pragma once

#include "core/plugins.h"

namespace spillway {

const EvictionFamily& eviction_policies();
const PrefetchFamily& prefetchers();

}  // namespace spillway
