#include "model/arch/list.h"

#include <algorithm>
#include <array>

namespace spillway {

std::span<const Architecture> architectures() {
  static const std::array list = {
      qwen3moe_architecture(),
      qwen35moe_architecture(),
      olmoe_architecture(),
  };
  return list;
}

Result<const Architecture*> find_architecture(const Gguf& gguf) {
  Result<std::string_view> name = gguf.metadata().text("general.architecture");
  if (!name) {
    return propagate(name);
  }
  std::string known;
  for (const Architecture& entry : architectures()) {
    if (entry.name == *name) {
      return &entry;
    }
    known += known.empty() ? entry.name : fmt::format(", {}", entry.name);
  }
  return failed("{}: architecture '{}' is not supported; supported are: {}", gguf.path(), *name, known);
}

}  // namespace spillway
