#pragma once

#include <zstd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/program.h"

// What llama.cpp and ggml said when tests/oracle/make_small_references asked them, and the models that they
// said it of: tests/references, where most files are compressed.
namespace spillway::test {

inline std::string reference_path(const std::string& name) {
  return SPILLWAY_SOURCE_DIR "/tests/references/" + name;
}

// The contents of `name`, which ships as NAME.zst.
inline std::string unpacked(const std::string& name) {
  const std::string packed = read_file(reference_path(name + ".zst"));
  const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size >= ZSTD_CONTENTSIZE_ERROR) {
    throw std::runtime_error(reference_path(name + ".zst") + " is missing or not compressed by zstd");
  }
  std::string contents(size, '\0');
  if (ZSTD_decompress(contents.data(), size, packed.data(), packed.size()) != size) {
    throw std::runtime_error(reference_path(name + ".zst") + " is damaged");
  }
  return contents;
}

// A model of the references as a file in `folder`: its path.
inline std::string unpack_model(const std::string& name, const std::string& folder) {
  std::string path = folder + "/" + name + ".gguf";
  std::ofstream(path, std::ios::binary) << unpacked("models/" + name + ".gguf");
  return path;
}

// The names of all models of the references, in order.
inline std::vector<std::string> reference_models() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(reference_path("models"))) {
    if (entry.path().extension() == ".json") {
      names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace spillway::test
