#include "backends/scratch_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <thread>

#include "backends/generated_content.h"
#include "backends/packed_format.h"
#include "backends/page_memory.h"
#include "core/sudden_end.h"
#include "core/units.h"

namespace spillway {
namespace {

constexpr uint64_t kBlock = 4 * kMiB;

// Left free on the disk: a full one harms more than us.
constexpr uint64_t kMargin = 256 * kMiB;

// Two keep the drive busy, since one generates while the other writes.
constexpr uint32_t kWriters = 2;

PackedHeader header_for(const ModelGeometry& geometry, const ScratchOptions& options, uint32_t piece) {
  return {.layers = geometry.layers,
          .experts_per_layer = geometry.experts_per_layer,
          .expert_bytes = geometry.expert_bytes,
          .parts = options.ranges_per_expert,
          .piece = piece,
          .pieces = uint32_t(options.directories.size()),
          .seed = options.seed};
}

bool is_made(const std::string& path, const PackedHeader& wanted) {
  Result<FileHandle> file = open_file(path, O_RDONLY);
  if (!file) {
    return false;
  }
  const Result<uint64_t> size = file_size(path, *file);
  const Result<PackedHeader> header = read_packed_header(path, *file);
  return size && header && *header == wanted && *size == PackedLayout(wanted).file_bytes();
}

// A file under construction: it is removed again unless it is published.
class PartialFile {
 public:
  static Result<PartialFile> create(const std::string& path, bool direct) {
    PartialFile partial;
    partial.path_ = path;
    const std::string name = path + ".partial";
    const int descriptor =
        ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | (direct ? O_DIRECT : 0), mode_t(0644));
    if (descriptor < 0) {
      const int error = errno;
      if (direct && error == EINVAL) {
        return create(path, false);  // tmpfs and the like
      }
      return failed("cannot make store {}: {}; choose a directory that can be written", name,
                    error_text(error));
    }
    partial.file_ = FileHandle(descriptor);
    partial.direct_ = direct;
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      return failed("{} is being made by another process; wait for it to end", name);
    }
    partial.made_ = true;
    partial.on_sudden_end_ = OnSuddenEnd({{EndStep::Kind::unlink, name}});
    // What a killed run may have left in it.
    if (::ftruncate(descriptor, 0) != 0) {
      return failed("cannot empty {}: {}", name, error_text(errno));
    }
    return partial;
  }

  PartialFile(PartialFile&& other) noexcept
      : path_(std::move(other.path_)),
        file_(std::move(other.file_)),
        direct_(other.direct_),
        made_(std::exchange(other.made_, false)),
        on_sudden_end_(std::move(other.on_sudden_end_)) {}
  PartialFile& operator=(PartialFile&&) = delete;

  ~PartialFile() {
    if (made_) {
      ::unlink(name().c_str());
    }
  }

  const std::string& path() const { return path_; }
  std::string name() const { return path_ + ".partial"; }
  int descriptor() const { return file_.get(); }

  // Refuses a disk that has too little room, and takes the room.
  Result<void> reserve(uint64_t bytes) {
    struct statvfs disk = {};
    if (::fstatvfs(descriptor(), &disk) != 0) {
      return failed("cannot tell the free space for {}: {}", path_, error_text(errno));
    }
    const uint64_t free = uint64_t(disk.f_bavail) * disk.f_frsize;
    if (free < bytes + kMargin) {
      return failed(
          "no room for store {}: it takes {} and {} must stay free, but there are {}; free some or "
          "choose another directory",
          path_, format_bytes(bytes), format_bytes(kMargin), format_bytes(free));
    }
    if (::fallocate(descriptor(), 0, 0, off_t(bytes)) == 0) {
      return {};
    }
    if (errno != EOPNOTSUPP) {
      return failed("no room for store {} of {}: {}", path_, format_bytes(bytes), error_text(errno));
    }
    if (::ftruncate(descriptor(), off_t(bytes)) != 0) {
      return failed("cannot make store {} of {}: {}", path_, format_bytes(bytes), error_text(errno));
    }
    return {};
  }

  // Writes one block; the result is an errno. Where the page cache is in the way it is emptied behind us.
  int write(std::span<const std::byte> block, uint64_t offset) const {
    const int error = write_at(descriptor(), block, offset);
    if (error == 0 && !direct_) {
      ::sync_file_range(descriptor(), off_t(offset), off_t(block.size()),
                        SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
      ::posix_fadvise(descriptor(), off_t(offset), off_t(block.size()), POSIX_FADV_DONTNEED);
    }
    return error;
  }

  Result<void> publish() {
    if (::fsync(descriptor()) != 0 || ::rename(name().c_str(), path_.c_str()) != 0) {
      return failed("cannot finish store {}: {}", path_, error_text(errno));
    }
    made_ = false;
    // The name lasts once its directory is on disk; where that cannot be asked for it lasts soon after.
    const std::string directory = std::filesystem::path(path_).parent_path();
    if (Result<FileHandle> handle = open_file(directory, O_RDONLY | O_DIRECTORY); handle) {
      ::fsync(handle->get());
    }
    return {};
  }

 private:
  PartialFile() = default;

  std::string path_;
  FileHandle file_;
  bool direct_ = false;
  bool made_ = false;
  OnSuddenEnd on_sudden_end_;
};

// Writers that share out the blocks of a file among them. The calling thread is one and alone reports
// progress.
class StoreWriter {
 public:
  StoreWriter(const PartialFile& file, const PackedHeader& header, uint64_t bytes)
      : file_(file), content_(*header.seed, header.piece), bytes_(bytes) {}

  // `before` of `total` bytes were written before this file. The result is an errno; ECANCELED: stopped.
  int run(std::span<std::byte> memory, uint64_t before, uint64_t total, StoreProgress progress) {
    std::vector<std::thread> helpers;
    for (uint32_t i = 1; i < kWriters; ++i) {
      const std::span<std::byte> block = memory.subspan(i * kBlock, kBlock);
      helpers.emplace_back([this, block] {
        while (write_next(block)) {
        }
      });
    }
    while (write_next(memory.first(kBlock))) {
      if (!progress(before + done_, total)) {
        error_ = ECANCELED;
      }
    }
    for (std::thread& helper : helpers) {
      helper.join();
    }
    return error_;
  }

 private:
  bool write_next(std::span<std::byte> block) {
    const uint64_t offset = next_.fetch_add(kBlock);
    if (offset >= bytes_ || error_ != 0) {
      return false;
    }
    const uint64_t bytes = std::min(kBlock, bytes_ - offset);
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

// Comes last, so that a file without its header is never taken for a store.
Result<void> write_header(const PartialFile& file, const PackedHeader& header, std::span<std::byte> memory) {
  Result<std::string> text = write_packed_header(header);
  if (!text) {
    return propagate(text);
  }
  const std::span<std::byte> block = memory.first(round_up(text->size(), kPackedAlignment));
  std::fill(block.begin(), block.end(), std::byte{0});
  std::copy_n(std::as_bytes(std::span(*text)).begin(), text->size(), block.begin());
  if (const int error = file.write(block, 0); error != 0) {
    return failed("cannot write {}: {}", file.name(), error_text(error));
  }
  return {};
}

Result<void> make_directory(const std::string& directory) {
  std::error_code problem;
  std::filesystem::create_directories(directory, problem);
  if (problem) {
    return failed("cannot make directory {}: {}; choose one that can be written", directory,
                  problem.message());
  }
  return {};
}

// One file of the store, to be written.
struct Piece {
  PackedHeader header;
  uint64_t bytes = 0;
  PartialFile file;
};

Result<Piece> begin_piece(const std::string& directory, const std::string& path, const PackedHeader& header) {
  if (Result<void> made = make_directory(directory); !made) {
    return propagate(made);
  }
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

// `before` bytes of the store's data lie in pieces that are done, and there are `pieces` to write in all.
Result<void> write_piece(Piece& piece, std::span<std::byte> memory, uint64_t before, uint64_t pieces,
                         StoreProgress progress) {
  StoreWriter writer(piece.file, piece.header, piece.bytes);
  const uint64_t total = (piece.bytes - kPackedDataOffset) * pieces;
  if (const int error = writer.run(memory, before, total, progress); error == ECANCELED) {
    return failed("making store {} was stopped; nothing of it is left", piece.file.path());
  } else if (error != 0) {
    return failed("cannot write {}: {}", piece.file.name(), error_text(error));
  }
  return write_header(piece.file, piece.header, memory);
}

}  // namespace

Result<std::string> default_cache_directory() {
  for (const auto& [variable, below] :
       {std::pair("XDG_CACHE_HOME", "/spillway"), std::pair("HOME", "/.cache/spillway")}) {
    // An environment that changes under a running program is not supported anywhere.
    const char* value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
    if (value != nullptr && value[0] == '/') {
      return value + std::string(below);
    }
  }
  return failed("neither XDG_CACHE_HOME nor HOME names a directory for the store; use --store FILE");
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

Result<std::vector<std::string>> make_scratch_store(const ModelGeometry& geometry,
                                                    const ScratchOptions& options, StoreProgress progress) {
  if (options.directories.empty() || (options.ranges_per_expert != 1 && options.ranges_per_expert != 3)) {
    return wrong_usage("a scratch store needs a directory and 1 or 3 ranges per expert, not {} and {}",
                       options.directories.size(), options.ranges_per_expert);
  }
  if (Result<void> valid = geometry.validate(); !valid) {
    return propagate(valid);
  }
  const std::vector<std::string> paths = scratch_store_paths(geometry, options);
  std::vector<Piece> missing;
  // All room is taken before the first block is written.
  for (uint32_t i = 0; i < paths.size(); ++i) {
    const PackedHeader header = header_for(geometry, options, i);
    if (is_made(paths[i], header)) {
      continue;
    }
    Result<Piece> piece = begin_piece(options.directories[i], paths[i], header);
    if (!piece) {
      return propagate(piece);
    }
    missing.push_back(std::move(*piece));
  }
  Result<PageMemory> memory = PageMemory::allocate(kWriters * kBlock, std::nullopt);
  if (!memory) {
    return propagate(memory);
  }
  uint64_t before = 0;
  for (Piece& piece : missing) {
    // All have the same tables and therefore the same size.
    if (Result<void> made = write_piece(piece, memory->bytes(), before, missing.size(), progress); !made) {
      return propagate(made);
    }
    before += piece.bytes - kPackedDataOffset;
  }
  // Only when all are whole, so that stopping leaves none of them.
  for (Piece& piece : missing) {
    if (Result<void> published = piece.file.publish(); !published) {
      return propagate(published);
    }
  }
  return paths;
}

}  // namespace spillway
