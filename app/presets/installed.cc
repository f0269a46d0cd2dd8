#include "app/presets/installed.h"

#include <filesystem>

namespace spillway {

std::string installed_folder(const std::string& name) {
  std::error_code problem;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", problem);
  return (program.parent_path() / SPILLWAY_DATA_FROM_PROGRAM / name).lexically_normal().string();
}

}  // namespace spillway
