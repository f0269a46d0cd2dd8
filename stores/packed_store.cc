#include "core/expects.h"
#include "core/units.h"
#include "stores/generated_content.h"
#include "stores/packed_index.h"
#include "stores/store.h"

namespace spillway {
namespace {

class PackedStore final : public ExpertStore {
 public:
  // `entries`: of a packed model, by expert.
  PackedStore(std::vector<std::string> paths, const ModelGeometry& geometry, const PackedHeader& header,
              std::vector<PackedEntry> entries)
      : paths_(std::move(paths)), geometry_(geometry), layout_(header), entries_(std::move(entries)) {
    if (header.seed) {
      for (uint32_t piece = 0; piece < header.pieces; ++piece) {
        contents_.emplace_back(*header.seed, piece);
      }
    }
  }

  std::span<const std::string> files() const override { return paths_; }

  void ranges(ExpertId id, std::vector<ByteRange>& out) const override {
    const uint32_t slot = entries_.empty() ? geometry_.expert_of(id) : entries_[index_of(id)].slot;
    layout_.ranges(geometry_.layer_of(id), slot, out);
  }

  bool can_check() const override { return !contents_.empty() || !entries_.empty(); }

  bool check(ExpertId id, const ByteRange& range, std::span<const std::byte> data, Check how) const override {
    if (!entries_.empty()) {
      return matches(entries_[index_of(id)], id, data, how);
    }
    Expects(can_check() && range.file < contents_.size());
    const GeneratedContent& content = contents_[range.file];
    return how == Check::all ? content.matches(range.offset, data)
                             : content.matches_sample(range.offset, data);
  }

 private:
  // An expert of a packed model is one range, so its checksums are of the whole of it.
  bool matches(const PackedEntry& entry, ExpertId id, std::span<const std::byte> data, Check how) const {
    Expects(data.size() == geometry_.bytes_of(id));
    return how == Check::all ? packed_checksum(data) == entry.checksum
                             : packed_sample(index_of(id), data) == entry.sample;
  }

  const std::vector<std::string> paths_;
  const ModelGeometry geometry_;
  const PackedLayout layout_;
  const std::vector<PackedEntry> entries_;  // by expert; none when the content is no packed model
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

struct OpenedPiece {
  PackedHeader header;
  InputFile file;
};

// One file of the store, whose size is checked against its header.
Result<OpenedPiece> open_piece(const std::string& path) {
  Result<InputFile> file = InputFile::open(path);
  if (!file) {
    return propagate(file);
  }
  Result<PackedHeader> header = read_packed_header(*file);
  if (!header) {
    return propagate(header);
  }
  const uint64_t needed = PackedLayout(*header).file_bytes();
  if (file->size() < needed) {
    return failed("{} is too small: it has {} bytes and its experts need {}; it was cut off", path,
                  file->size(), needed);
  }
  return OpenedPiece{std::move(*header), std::move(*file)};
}

// That the files are the pieces of one store, in order.
Result<void> check_pieces(const std::vector<std::string>& paths, const PackedHeader& first) {
  for (uint32_t piece = 0; piece < paths.size(); ++piece) {
    Result<OpenedPiece> opened = open_piece(paths[piece]);
    if (!opened) {
      return propagate(opened);
    }
    PackedHeader expected = first;
    expected.piece = piece;
    if (const PackedHeader& header = opened->header; header != expected) {
      return failed(
          "{} does not belong here: it is piece {} of {} of another or the same store; piece {} of {} of the "
          "store of {} is wanted",
          paths[piece], header.piece + 1, header.pieces, piece + 1, first.pieces, paths.front());
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ExpertStore>> open_packed_store(const std::vector<std::string>& paths,
                                                       const ModelGeometry& geometry) {
  Result<OpenedPiece> opened = open_piece(paths.front());
  if (!opened) {
    return propagate(opened);
  }
  const PackedHeader& first = opened->header;
  if (Result<void> fits = check_shape(paths.front(), first, geometry); !fits) {
    return propagate(fits);
  }
  if (first.pieces != paths.size()) {
    return failed("{} is one of {} pieces, but --store names {} files", paths.front(), first.pieces,
                  paths.size());
  }
  if (Result<void> belong = check_pieces(paths, first); !belong) {
    return propagate(belong);
  }
  std::vector<PackedEntry> entries;
  if (first.packed) {
    Result<std::vector<PackedEntry>> read = read_packed_index(opened->file, first);
    if (!read) {
      return propagate(read);
    }
    entries = std::move(*read);
  }
  return std::make_unique<PackedStore>(paths, geometry, first, std::move(entries));
}

}  // namespace spillway
