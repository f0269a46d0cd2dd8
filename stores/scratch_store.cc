#include "stores/scratch_store.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>

#include "core/units.h"
#include "host/linux/page_memory.h"
#include "stores/generated_content.h"
#include "stores/packed_format.h"
#include "stores/partial_file.h"
#include "stores/unmade_store.h"

namespace spillway {
namespace {

constexpr uint64_t kFillBytes = 4 * kMiB;

bool is_made(const std::string& path, const PackedHeader& wanted) {
  const Result<InputFile> file = InputFile::open(path);
  if (!file) {
    return false;
  }
  const Result<PackedHeader> header = read_packed_header(*file);
  return header && *header == wanted && file->size() == PackedLayout(wanted).file_bytes();
}

// Writes a file with several threads, which share out its blocks among themselves. The calling thread is one
// of them and alone reports progress.
class StoreWriter {
 public:
  StoreWriter(const PartialFile& file, const PackedHeader& header, uint64_t bytes)
      : file_(file), content_(*header.seed, header.piece), bytes_(bytes) {}

  // Writes all blocks. `before` of `total` bytes were written before this file. Returns an errno, 0 for
  // success, ECANCELED if it was stopped.
  int run(std::span<std::byte> memory, uint64_t before, uint64_t total, StoreProgress progress) {
    const auto work = [&](uint32_t writer) {
      return write_next(memory.subspan(writer * kFillBytes, kFillBytes));
    };
    const auto between = [&] {
      if (!progress(before + done_, total)) {
        error_ = ECANCELED;
      }
    };
    share_writing(work, between);
    return error_;
  }

 private:
  bool write_next(std::span<std::byte> block) {
    const uint64_t offset = next_.fetch_add(kFillBytes);
    if (offset >= bytes_ || error_ != 0) {
      return false;
    }
    const uint64_t bytes = std::min(kFillBytes, bytes_ - offset);
    content_.fill(offset, block.first(bytes));
    if (const int error = file_.write(block.first(bytes), offset); error != 0) {
      error_ = error;
      return false;
    }
    done_ += bytes;
    return true;
  }

  const PartialFile& file_;
  const GeneratedContent content_;
  const uint64_t bytes_;
  std::atomic<uint64_t> next_ = kPackedDataOffset;
  std::atomic<uint64_t> done_ = 0;
  std::atomic<int> error_ = 0;
};

// Writes the header. It comes last, so that a file without a header is never taken for a store.
Result<void> write_header(const PartialFile& file, const PackedHeader& header, std::span<std::byte> memory) {
  Result<std::string> text = write_packed_header(header);
  if (!text) {
    return propagate(text);
  }
  return file.write_padded(std::as_bytes(std::span(*text)), 0, memory);
}

// Directories that were made for a store. The destructor removes those that are still empty.
class NewDirectories {
 public:
  NewDirectories() = default;
  NewDirectories(const NewDirectories&) = delete;
  NewDirectories& operator=(const NewDirectories&) = delete;
  ~NewDirectories() {
    for (auto directory = made_.rbegin(); directory != made_.rend(); ++directory) {
      ::rmdir(directory->c_str());
    }
  }

  // Makes `directory` and the missing directories above it.
  Result<void> make(const std::filesystem::path& directory) {
    std::filesystem::path at;
    std::error_code problem;
    for (const std::filesystem::path& name : directory) {
      at /= name;
      if (std::filesystem::create_directory(at, problem)) {
        made_.push_back(at);
      } else if (problem) {
        return failed("cannot make directory {}: {}; choose a place where you may write", directory.string(),
                      problem.message());
      }
    }
    return {};
  }

 private:
  std::vector<std::filesystem::path> made_;
};

Result<void> check_request(const ModelGeometry& geometry, const ScratchOptions& options) {
  if (options.directories.empty() || (options.ranges_per_expert != 1 && options.ranges_per_expert != 3)) {
    return wrong_usage(
        "a scratch store needs a directory and 1 or 3 ranges per expert, not {} directories and {} ranges",
        options.directories.size(), options.ranges_per_expert);
  }
  return geometry.validate();
}

// One file of the store that is being written.
struct Piece {
  PackedHeader header;
  uint64_t bytes = 0;
  PartialFile file;
};

Result<Piece> begin_piece(const std::string& path, const PackedHeader& header) {
  Result<PartialFile> file = PartialFile::create(path, true);
  if (!file) {
    return propagate(file);
  }
  const uint64_t bytes = PackedLayout(header).file_bytes();
  if (Result<void> room = file->reserve(bytes); !room) {
    return propagate(room);
  }
  return Piece{header, bytes, std::move(*file)};
}

// Writes one piece. `before` bytes of the store's data lie in finished pieces; `pieces` pieces
// are written in all.
Result<void> write_piece(Piece& piece, std::span<std::byte> memory, uint64_t before, uint64_t pieces,
                         StoreProgress progress) {
  StoreWriter writer(piece.file, piece.header, piece.bytes);
  const uint64_t total = (piece.bytes - kPackedDataOffset) * pieces;
  if (const int error = writer.run(memory, before, total, progress); error == ECANCELED) {
    return failed("making store {} was stopped; nothing of it is left", piece.file.path());
  } else if (error != 0) {
    return failed("cannot write {}: {}", piece.file.path(), error_text(error));
  }
  return write_header(piece.file, piece.header, memory);
}

}  // namespace

Result<std::string> default_cache_directory(std::string_view option) {
  for (const auto& [variable, below] :
       {std::pair("XDG_CACHE_HOME", "/spillway"), std::pair("HOME", "/.cache/spillway")}) {
    // An environment that changes under a running program is not supported anywhere.
    const char* value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
    if (value != nullptr && value[0] == '/') {
      return value + std::string(below);
    }
  }
  return failed(
      "neither XDG_CACHE_HOME nor HOME is an absolute path, so there is no cache folder for stores; "
      "set one of them, or give {}",
      option);
}

std::vector<std::string> scratch_store_paths(const ModelGeometry& geometry, const ScratchOptions& options) {
  uint64_t hash = mix64(options.seed);
  for (const uint64_t bytes : geometry.expert_bytes) {
    hash = mix64(hash ^ bytes);
  }
  const std::string name = fmt::format("scratch-{}x{}-{:016x}-{}r", geometry.layers,
                                       geometry.experts_per_layer, hash, options.ranges_per_expert);
  std::vector<std::string> paths;
  const size_t pieces = options.directories.size();
  for (size_t i = 0; i < pieces; ++i) {
    paths.push_back(pieces == 1
                        ? fmt::format("{}/{}.store", options.directories[i], name)
                        : fmt::format("{}/{}-{}of{}.store", options.directories[i], name, i + 1, pieces));
  }
  return paths;
}

Result<MissingFiles> missing_scratch_files(const ModelGeometry& geometry, const ScratchOptions& options) {
  if (Result<void> valid = check_request(geometry, options); !valid) {
    return propagate(valid);
  }
  MissingFiles missing;
  const std::vector<std::string> paths = scratch_store_paths(geometry, options);
  for (uint32_t i = 0; i < paths.size(); ++i) {
    const PackedHeader header = scratch_header(geometry, options, i);
    if (!is_made(paths[i], header)) {
      missing.paths.push_back(paths[i]);
      missing.bytes_each = PackedLayout(header).file_bytes();  // all pieces have the same tables
    }
  }
  return missing;
}

Result<std::vector<std::string>> make_scratch_store(const ModelGeometry& geometry,
                                                    const ScratchOptions& options, StoreProgress progress) {
  if (Result<void> valid = check_request(geometry, options); !valid) {
    return propagate(valid);
  }
  const std::vector<std::string> paths = scratch_store_paths(geometry, options);
  NewDirectories directories;  // must outlive the files in them
  std::vector<Piece> missing;
  // Room for all files is reserved before the first block is written.
  for (uint32_t i = 0; i < paths.size(); ++i) {
    const PackedHeader header = scratch_header(geometry, options, i);
    if (is_made(paths[i], header)) {
      continue;
    }
    if (Result<void> made = directories.make(options.directories[i]); !made) {
      return propagate(made);
    }
    Result<Piece> piece = begin_piece(paths[i], header);
    if (!piece) {
      return propagate(piece);
    }
    if (is_made(paths[i], header)) {
      continue;  // another process made it, just before this one had claimed the name
    }
    missing.push_back(std::move(*piece));
  }
  Result<PageMemory> memory = PageMemory::allocate(kStoreWriters * kFillBytes, std::nullopt);
  if (!memory) {
    return propagate(memory);
  }
  uint64_t before = 0;
  const uint64_t total = missing.empty() ? 0 : (missing.front().bytes - kPackedDataOffset) * missing.size();
  if (!missing.empty() && !progress(0, total)) {
    return failed("making store {} was stopped; nothing of it is left", missing.front().file.path());
  }
  for (Piece& piece : missing) {
    // All pieces have the same tables and therefore the same size.
    if (Result<void> made = write_piece(piece, memory->bytes(), before, missing.size(), progress); !made) {
      return propagate(made);
    }
    before += piece.bytes - kPackedDataOffset;
  }
  // Files are published only when all are complete, so that stopping leaves none of them.
  for (Piece& piece : missing) {
    if (Result<void> published = piece.file.publish(); !published) {
      return propagate(published);
    }
  }
  return paths;
}

}  // namespace spillway
