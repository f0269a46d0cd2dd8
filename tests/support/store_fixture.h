#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/geometry.h"
#include "core/result.h"
#include "stores/generated_content.h"
#include "tests/support/mentions.h"

namespace spillway::testing {

using test::mentions;

// Returns the directory where many small files are written fastest.
inline std::string memory_directory() {
  return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : std::filesystem::temp_directory_path().string();
}

// A directory of the test's own, removed with this object.
class TestDirectory {
 public:
  explicit TestDirectory(const std::string& parent = std::filesystem::temp_directory_path()) {
    std::string pattern = parent + "/spillway-test-XXXXXX";
    path_ = ::mkdtemp(pattern.data()) != nullptr ? pattern : "";
    EXPECT_NE(path_, "") << "no directory in " << parent;
  }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;
  ~TestDirectory() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

  size_t entries() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path_)) {
      ++count;
    }
    return count;
  }

 private:
  std::string path_;
};

inline void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void flip_byte(const std::string& path, uint64_t offset) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(int64_t(offset));
  const char byte = char(file.get() ^ 0x10);
  file.seekp(int64_t(offset));
  file.put(byte);
}

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
