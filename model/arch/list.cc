#include "model/arch/list.h"

#include <array>

namespace spillway {

// Each function is defined in the file of the same name beside this one.
namespace architecture {
Architecture qwen3moe(), qwen35moe(), olmoe();
}

std::span<const Architecture> architectures() {
  using namespace architecture;
  static const std::array list = {qwen3moe(), qwen35moe(), olmoe()};
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
