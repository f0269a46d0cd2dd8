#pragma once

#include "core/plugins.h"

namespace spillway {

const DeviceFamily& device_models();

}  // namespace spillway
