#include "core/expects.h"
#include "core/units.h"
#include "stores/generated_content.h"
#include "stores/packed_index.h"
#include "stores/store.h"

namespace spillway {
namespace {

class PackedStore final : public ExpertStore {
 public:
  // `entries`: those of a packed model, by expert; empty for other stores.
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
  // Compares an expert of a packed model, which is one range, so its checksums cover the whole range.
  bool matches(const PackedEntry& entry, ExpertId id, std::span<const std::byte> data, Check how) const {
    Expects(data.size() == geometry_.bytes_of(id));
    return how == Check::all ? packed_checksum(data) == entry.checksum
                             : packed_sample(index_of(id), data) == entry.sample;
  }

  const std::vector<std::string> paths_;
  const ModelGeometry geometry_;
  const PackedLayout layout_;
  const std::vector<PackedEntry> entries_;  // by expert; empty unless the content is a packed model
  std::vector<GeneratedContent> contents_;  // one per file; empty unless the content is generated
};

Result<void> check_shape(const std::string& path, const PackedHeader& header, const ModelGeometry& wanted) {
  if (header.layers == wanted.layers && header.experts_per_layer == wanted.experts_per_layer &&
      header.expert_bytes == wanted.expert_bytes) {
    return {};
  }
  return failed(
      "{} holds {}, but the trace needs {}; name another --store, or leave out --store to have one made",
      path, describe_shape(header.layers, header.experts_per_layer, header.expert_bytes),
      describe_shape(wanted.layers, wanted.experts_per_layer, wanted.expert_bytes));
}

struct OpenedPiece {
  PackedHeader header;
  InputFile file;
};

// Opens one file of the store and checks its size against its header.
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
    return failed("{} was cut off: it has {} bytes, and its experts need {}; make or pack it again", path,
                  file->size(), needed);
  }
  return OpenedPiece{std::move(*header), std::move(*file)};
}

// Fails if the files are not the pieces of one store, in order.
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
          "{} does not belong here: it is piece {} of {} of some store, but --store needs piece {} of {} of "
          "the store that {} begins",
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
    return failed("{} is one of {} pieces, but --store names {} files; name all pieces in order",
                  paths.front(), first.pieces, paths.size());
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
