#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "sim/list.h"
#include "tests/support/make_plugin.h"

namespace spillway::test {

// Makes the device model that `text` names, as --device does.
inline std::unique_ptr<DeviceModel> device(const std::string& text, uint64_t seed = 1) {
  auto made = make_plugin(device_models(), text, DeviceEnv{seed});
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().message);
  return std::move(*made);
}

}  // namespace spillway::test
