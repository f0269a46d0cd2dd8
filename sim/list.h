#pragma once

#include <span>

#include "core/plugins.h"

namespace spillway {

std::span<const DevicePlugin> device_models();

}  // namespace spillway
