#include "stores/store.h"

#include <fcntl.h>

#include <array>
#include <string_view>

#include "stores/packed_format.h"

namespace spillway {

Result<std::unique_ptr<ExpertStore>> open_store(const std::vector<std::string>& paths,
                                                const ModelGeometry& geometry) {
  if (paths.empty()) {
    return wrong_usage("--store names no file");
  }
  Result<FileHandle> file = open_file(paths.front(), O_RDONLY);
  if (!file) {
    return propagate(file);
  }
  if (Result<uint64_t> size = file_size(paths.front(), *file); !size) {
    return propagate(size);
  }
  std::array<char, kPackedMagic.size()> magic = {};
  const ReadOutcome start = read_at(file->get(), std::as_writable_bytes(std::span(magic)), 0);
  if (start.error != 0) {
    return failed("cannot read {}: {}", paths.front(), error_text(start.error));
  }
  const std::string_view begin(magic.data(), start.bytes);
  if (begin == kPackedMagic) {
    return open_packed_store(paths, geometry);
  }
  // Of GGUFs the composition root has made a range store before it asks here.
  return failed("{} is no expert store: it begins neither as a packed store nor as a GGUF", paths.front());
}

}  // namespace spillway
