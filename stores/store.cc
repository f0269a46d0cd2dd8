#include "stores/store.h"

#include <array>
#include <string_view>

#include "stores/packed_format.h"

namespace spillway {

Result<std::unique_ptr<ExpertStore>> open_store(const std::vector<std::string>& paths,
                                                const ModelGeometry& geometry) {
  if (paths.empty()) {
    return wrong_usage("--store names no file; give the path of a store or of a GGUF");
  }
  Result<InputFile> file = InputFile::open(paths.front());
  if (!file) {
    return propagate(file);
  }
  std::array<char, kPackedMagic.size()> magic = {};
  Result<size_t> got = file->read_at(0, std::as_writable_bytes(std::span(magic)));
  if (!got) {
    return propagate(got);
  }
  if (std::string_view(magic.data(), *got) == kPackedMagic) {
    return open_packed_store(paths, geometry);
  }
  // The composition root makes range stores of GGUFs itself and does not ask here.
  return failed("{} is not an expert store: it begins neither as a packed store nor as a GGUF",
                paths.front());
}

}  // namespace spillway
