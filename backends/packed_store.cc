#include <fcntl.h>

#include "backends/generated_content.h"
#include "backends/packed_format.h"
#include "backends/store.h"
#include "core/expects.h"
#include "core/units.h"

namespace spillway {
namespace {

class PackedStore final : public ExpertStore {
 public:
  PackedStore(std::vector<std::string> paths, const ModelGeometry& geometry, const PackedHeader& header)
      : paths_(std::move(paths)), geometry_(geometry), layout_(header) {
    if (header.seed) {
      for (uint32_t piece = 0; piece < header.pieces; ++piece) {
        contents_.emplace_back(*header.seed, piece);
      }
    }
  }

  std::span<const std::string> files() const override { return paths_; }

  void ranges(ExpertId id, std::vector<ByteRange>& out) const override {
    layout_.ranges(geometry_.layer_of(id), geometry_.expert_of(id), out);
  }

  bool can_check() const override { return !contents_.empty(); }

  bool check(ExpertId, const ByteRange& range, std::span<const std::byte> data, Check how) const override {
    Expects(can_check() && range.file < contents_.size());
    const GeneratedContent& content = contents_[range.file];
    return how == Check::all ? content.matches(range.offset, data)
                             : content.matches_sample(range.offset, data);
  }

 private:
  const std::vector<std::string> paths_;
  const ModelGeometry geometry_;
  const PackedLayout layout_;
  std::vector<GeneratedContent> contents_;  // one a file; none when the content is not generated
};

Result<void> check_shape(const std::string& path, const PackedHeader& header, const ModelGeometry& wanted) {
  if (header.layers == wanted.layers && header.experts_per_layer == wanted.experts_per_layer &&
      header.expert_bytes == wanted.expert_bytes) {
    return {};
  }
  return failed("{} holds {}, but the trace wants {}; name another --store or leave it out to have one made",
                path, describe_shape(header.layers, header.experts_per_layer, header.expert_bytes),
                describe_shape(wanted.layers, wanted.experts_per_layer, wanted.expert_bytes));
}

// The header of one file of the store, whose size is checked against it.
Result<PackedHeader> open_piece(const std::string& path) {
  Result<FileHandle> file = open_file(path, O_RDONLY);
  if (!file) {
    return propagate(file);
  }
  Result<uint64_t> size = file_size(path, *file);
  if (!size) {
    return propagate(size);
  }
  Result<PackedHeader> header = read_packed_header(path, *file);
  if (!header) {
    return propagate(header);
  }
  const uint64_t needed = PackedLayout(*header).file_bytes();
  if (*size < needed) {
    return failed("{} is too small: it has {} bytes and its experts need {}; it was cut off", path, *size,
                  needed);
  }
  return header;
}

}  // namespace

Result<std::unique_ptr<ExpertStore>> open_packed_store(const std::vector<std::string>& paths,
                                                       const ModelGeometry& geometry) {
  Result<PackedHeader> first = open_piece(paths.front());
  if (!first) {
    return propagate(first);
  }
  if (Result<void> fits = check_shape(paths.front(), *first, geometry); !fits) {
    return propagate(fits);
  }
  if (first->pieces != paths.size()) {
    return failed("{} is one of {} pieces, but --store names {} files", paths.front(), first->pieces,
                  paths.size());
  }
  for (uint32_t piece = 0; piece < paths.size(); ++piece) {
    Result<PackedHeader> header = open_piece(paths[piece]);
    if (!header) {
      return propagate(header);
    }
    PackedHeader expected = *first;
    expected.piece = piece;
    if (*header != expected) {
      return failed(
          "{} does not belong here: it is piece {} of {} of another or the same store; piece {} of {} of the "
          "store of {} is wanted",
          paths[piece], header->piece + 1, header->pieces, piece + 1, first->pieces, paths.front());
    }
  }
  return std::make_unique<PackedStore>(paths, geometry, *first);
}

}  // namespace spillway
