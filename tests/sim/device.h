#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "sim/list.h"

namespace spillway::test {

// Makes the device model that `text` names, as --device does.
inline std::unique_ptr<DeviceModel> device(const std::string& text, uint64_t seed = 1) {
  auto made = make_plugin(device_models(), "device model", text, DeviceEnv{seed});
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().message);
  return std::move(made->port);
}

}  // namespace spillway::test
