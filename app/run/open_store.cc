#include "app/run/open_store.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <string_view>

#include "host/file.h"
#include "stores/model_fingerprint.h"

namespace spillway {
namespace {

// True if the file begins like a GGUF. An unreadable file does not: the reader of other stores then reports
// what is wrong with it.
bool is_gguf(const std::string& path) {
  constexpr std::string_view kMagic = "GGUF";
  const Result<InputFile> file = InputFile::open(path);
  if (!file) {
    return false;
  }
  std::array<char, kMagic.size()> begin = {};
  const Result<size_t> got = file->read_at(0, std::as_writable_bytes(std::span(begin)));
  return std::string_view(begin.data(), got.value_or(0)) == kMagic;
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
  return make_range_store(expert_tables(*gguf, *experts), geometry);
}

// Returns the origin of the GGUF at `path`, or of the one that a packed store was made from. Returns nothing
// for a scratch store, whose content is made up.
Result<std::optional<PackedOrigin>> origin_of_store(const std::string& path) {
  if (!is_gguf(path)) {
    return packed_origin(path);
  }
  Result<Gguf> gguf = Gguf::open(path);
  if (!gguf) {
    return propagate(gguf);
  }
  Result<PackedOrigin> origin = gguf_origin(*gguf);
  if (!origin) {
    return propagate(origin);
  }
  return std::optional(std::move(*origin));
}

}  // namespace

Result<std::unique_ptr<ExpertStore>> open_expert_store(const std::vector<std::string>& paths,
                                                       const ModelGeometry& geometry) {
  if (paths.empty() || !is_gguf(paths.front())) {
    return open_store(paths, geometry);
  }
  if (paths.size() > 1) {
    return wrong_usage("--store: {} is a GGUF; of a split GGUF, name only the first file", paths.front());
  }
  return open_gguf_store(paths.front(), geometry);
}

Result<OpenGguf> open_gguf(const std::string& path) {
  Result<Gguf> gguf = Gguf::open(path);
  if (!gguf) {
    return propagate(gguf);
  }
  Result<GgufExperts> experts = find_gguf_experts(*gguf);
  if (!experts) {
    return propagate(experts);
  }
  Result<ModelGeometry> geometry = gguf_geometry(*gguf, *experts);
  if (!geometry) {
    return propagate(geometry);
  }
  return OpenGguf{std::move(*gguf), std::move(*experts), std::move(*geometry)};
}

ExpertTables expert_tables(const Gguf& gguf, const GgufExperts& experts) {
  ExpertTables tables{gguf.files(), experts.experts_per_layer, {}};
  for (const std::vector<GgufExpertTensor>& parts : experts.layers) {
    std::vector<ExpertTable>& layer = tables.layers.emplace_back();
    for (const GgufExpertTensor& part : parts) {
      layer.push_back({part.file, part.offset, part.bytes});
    }
  }
  return tables;
}

Result<PackedOrigin> gguf_origin(const Gguf& gguf) {
  std::vector<ModelFile> files;
  for (const std::string& path : gguf.files()) {
    files.push_back({path, std::numeric_limits<uint64_t>::max()});
  }
  // All tensors of a file follow its head. A file without tensors is nothing but head.
  for (const GgufTensor& tensor : gguf.tensors()) {
    uint64_t& head = files[tensor.file].head_bytes;
    head = std::min(head, tensor.offset);
  }
  return model_fingerprint(files);
}

Result<std::string> store_identity(const std::vector<std::string>& paths) {
  if (paths.empty()) {
    return std::string();
  }
  Result<std::optional<PackedOrigin>> origin = origin_of_store(paths.front());
  if (!origin) {
    return propagate(origin);
  }
  if (*origin) {
    return fmt::format("{:016x}", (*origin)->fingerprint);
  }
  Result<InputFile> file = InputFile::open(paths.front());
  if (!file) {
    return propagate(file);
  }
  Result<PackedHeader> header = read_packed_header(*file);
  if (!header) {
    return propagate(header);
  }
  return fmt::format("{:016x}", header->seed.value_or(0));
}

Result<void> check_store_is_of(const std::vector<std::string>& paths, const Gguf& model) {
  if (paths.empty()) {
    return wrong_usage("--store names no file");
  }
  const std::string& path = paths.front();
  std::error_code ignored;
  if (std::filesystem::equivalent(path, model.path(), ignored)) {
    return {};
  }
  Result<std::optional<PackedOrigin>> found = origin_of_store(path);
  if (!found) {
    return propagate(found);
  }
  if (!*found) {
    return failed("{} is a scratch store: its bytes are made up and are not the experts of {}", path,
                  model.path());
  }
  Result<PackedOrigin> wanted = gguf_origin(model);
  if (!wanted) {
    return propagate(wanted);
  }
  if ((*found)->fingerprint != wanted->fingerprint) {
    return failed("{} has the experts of {}, but the model is {}; pack a store from this model", path,
                  describe(**found), describe(*wanted));
  }
  return {};
}

}  // namespace spillway
