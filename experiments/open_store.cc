#include "experiments/open_store.h"

#include <fcntl.h>

#include <array>
#include <string_view>

#include "backends/posix_file.h"
#include "backends/store.h"
#include "runtime/model/gguf.h"
#include "runtime/model/gguf_experts.h"

namespace spillway {
namespace {

// A file that cannot be read is none; what is wrong with it is for the reader of other stores to say.
bool is_gguf(const std::string& path) {
  constexpr std::string_view kMagic = "GGUF";
  Result<FileHandle> file = open_file(path, O_RDONLY);
  if (!file || !file_size(path, *file)) {
    return false;
  }
  std::array<char, kMagic.size()> begin = {};
  const ReadOutcome read = read_at(file->get(), std::as_writable_bytes(std::span(begin)), 0);
  return std::string_view(begin.data(), read.bytes) == kMagic;
}

Result<std::unique_ptr<ExpertStore>> open_gguf_store(const std::string& path, const ModelGeometry& geometry) {
  Result<Gguf> gguf = Gguf::open(path);
  if (!gguf) {
    return propagate(gguf);
  }
  Result<GgufExperts> experts = find_gguf_experts(*gguf);
  if (!experts) {
    return propagate(experts);
  }
  ExpertTables tables{gguf->files(), experts->experts_per_layer, {}};
  for (const std::vector<GgufExpertTensor>& parts : experts->layers) {
    std::vector<ExpertTable>& layer = tables.layers.emplace_back();
    for (const GgufExpertTensor& part : parts) {
      layer.push_back({part.file, part.offset, part.bytes});
    }
  }
  return make_range_store(std::move(tables), geometry);
}

}  // namespace

Result<std::unique_ptr<ExpertStore>> open_expert_store(const std::vector<std::string>& paths,
                                                       const ModelGeometry& geometry) {
  if (paths.empty() || !is_gguf(paths.front())) {
    return open_store(paths, geometry);
  }
  if (paths.size() > 1) {
    return wrong_usage("--store: {} is a GGUF; name the first file of a split one alone", paths.front());
  }
  return open_gguf_store(paths.front(), geometry);
}

}  // namespace spillway
