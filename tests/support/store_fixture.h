#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/geometry.h"
#include "core/result.h"
#include "stores/generated_content.h"
#include "tests/support/files.h"
#include "tests/support/mentions.h"

namespace spillway::testing {

using test::flip_byte;
using test::memory_directory;
using test::mentions;
using test::read_file;
using test::TemporaryDirectory;
using test::write_file;

// Returns bytes that do not compress.
inline std::string filled(uint64_t bytes) {
  std::string text(bytes, '\0');
  GeneratedContent(1, 0).fill(0, std::as_writable_bytes(std::span(text)));
  return text;
}

inline ModelGeometry geometry(uint32_t layers, uint32_t experts, uint64_t bytes) {
  return {.layers = layers,
          .experts_per_layer = experts,
          .top_k = 1,
          .used_top_k = 1,
          .expert_bytes = std::vector<uint64_t>(layers, bytes)};
}

}  // namespace spillway::testing

// Skips the test, with the reason, when `result` says that this machine refuses.
#define SKIP_IF_UNAVAILABLE(result)                                               \
  if (!(result) && (result).error().kind == ::spillway::ErrorKind::unavailable) { \
    GTEST_SKIP() << (result).error().message;                                     \
  }                                                                               \
  ASSERT_TRUE(result) << (result).error().message
