#pragma once

#include <span>

#include "core/plugins.h"

namespace spillway {

std::span<const EvictionPlugin> eviction_policies();
std::span<const PrefetchPlugin> prefetchers();

}  // namespace spillway
