#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

// Traces that others recorded, and what they published of them. These are not ours to ship: a folder that has
// them is given to CMake as SPILLWAY_SHARED_DIR.
namespace spillway::test {

inline std::string recorded(const std::string& name) {
  return SPILLWAY_SHARED_DIR "/traces/" + name;
}

// The reason is the same for all, so that tests/run can count them together.
#define SPILLWAY_NEEDS_RECORDED(name)                                                                  \
  if (!std::filesystem::exists(spillway::test::recorded(name))) {                                      \
    GTEST_SKIP()                                                                                       \
        << "traces that others recorded do not ship; CMake's SPILLWAY_SHARED_DIR says where they are"; \
  }

}  // namespace spillway::test
