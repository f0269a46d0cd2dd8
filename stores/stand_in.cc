#include "stores/stand_in.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "core/units.h"
#include "host/file_calls.h"
#include "host/linux/page_memory.h"
#include "stores/generated_content.h"

namespace spillway {
namespace {

namespace fs = std::filesystem;

// Enough for a trial of huge pages, which uses the second 2 MiB of the file.
constexpr off_t kStandInBytes = 4 << 20;

// Writes past the page cache are multiples of this size.
constexpr uint64_t kTrialUnit = 4096;

// Returns the directory itself or, if it does not exist yet, the nearest existing one above it.
fs::path nearest_directory(fs::path directory) {
  std::error_code ignored;
  while (!fs::is_directory(directory, ignored) && directory.has_parent_path() &&
         directory != directory.parent_path()) {
    directory = directory.parent_path();
  }
  return fs::is_directory(directory, ignored) ? directory : fs::path(".");
}

// Makes a file that only its descriptor leads to.
FileHandle nameless_file(const fs::path& directory) {
  if (FileHandle file = open_unnamed(directory, 0600); file.get() >= 0) {
    return file;
  }
  // On a file system without nameless files, the file has a name until it is removed at once.
  std::string name = (directory / "spillway-XXXXXX").string();
  FileHandle file(::mkostemp(name.data(), O_CLOEXEC));
  if (file.get() >= 0) {
    ::unlink(name.c_str());
  }
  return file;
}

}  // namespace

std::optional<StandIn> StandIn::make(const std::vector<std::string>& directories) {
  StandIn stand_in;
  for (const std::string& directory : directories) {
    stand_in.directories_.push_back(nearest_directory(directory));
    const FileHandle writable = nameless_file(stand_in.directories_.back());
    if (writable.get() < 0 || ::ftruncate(writable.get(), kStandInBytes) != 0) {
      return std::nullopt;
    }
    // The kernel makes huge pages only of files that no process has open for writing.
    FileHandle readable(::open(descriptor_path(writable).c_str(), O_RDONLY | O_CLOEXEC));
    if (readable.get() < 0) {
      return std::nullopt;
    }
    stand_in.names_.push_back(descriptor_path(readable));
    stand_in.handles_.push_back(std::move(readable));
  }
  return stand_in;
}

std::optional<double> trial_write_rate(const std::string& directory, uint64_t bytes) {
  constexpr uint64_t kBlock = 4 * kMiB;
  const FileHandle file = nameless_file(nearest_directory(directory));
  Result<PageMemory> memory = PageMemory::allocate(kBlock, std::nullopt);
  if (file.get() < 0 || !memory) {
    return std::nullopt;
  }
  // Zeros would be written faster than a store on a drive that compresses.
  GeneratedContent(1, 0).fill(0, memory->bytes().first(kBlock));
  const bool direct = bypass_page_cache(file);
  const auto start = std::chrono::steady_clock::now();
  uint64_t written = 0;
  while (written < bytes) {
    const uint64_t part = std::min(kBlock, round_up(bytes - written, kTrialUnit));
    if (write_at(file.get(), memory->bytes().first(part), written) != 0) {
      return std::nullopt;
    }
    if (!direct) {
      write_through(file, written, part);
    }
    written += part;
  }
  const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return elapsed > 0 ? std::optional(double(written) / elapsed) : std::nullopt;
}

}  // namespace spillway
