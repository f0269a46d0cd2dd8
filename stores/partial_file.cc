#include "stores/partial_file.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "core/expects.h"
#include "core/units.h"

namespace spillway {
namespace {

// Room to leave free on the disk: a full disk harms other programs too.
constexpr uint64_t kDiskMargin = 256 * kMiB;

// Writes past the page cache are multiples of this size.
constexpr uint64_t kBlockUnit = 4096;

}  // namespace

Result<PartialFile> PartialFile::create(const std::string& path, bool replace) {
  Result<FilePlace> place = find_place(path, replace);
  if (!place) {
    return propagate(place);
  }
  if (place->is_stream) {
    return failed("{}: exists and is not a regular file; choose another name for the store", path);
  }
  std::optional<FileHandle> claim = claim_name(place->target);
  if (!claim) {
    return failed("store {} is being made by another process; wait for it to end", path);
  }
  Result<NewFile> file = NewFile::create(std::move(*place), replace);
  if (!file) {
    return propagate(file);
  }
  const bool direct = bypass_page_cache(file->handle());
  return PartialFile(std::move(*file), std::move(*claim), direct);
}

Result<void> PartialFile::reserve(uint64_t bytes) {
  return file_.reserve(bytes, kDiskMargin);
}

int PartialFile::write(std::span<const std::byte> block, uint64_t offset) const {
  const int error = write_at(file_.handle().get(), block, offset);
  // If the page cache cannot be bypassed, the written range is dropped from it.
  if (error == 0 && !direct_) {
    write_through(file_.handle(), offset, block.size());
  }
  return error;
}

Result<void> PartialFile::write_padded(std::span<const std::byte> bytes, uint64_t offset,
                                       std::span<std::byte> memory) const {
  Expects(memory.size() >= kBlockUnit);
  const uint64_t most = round_down(memory.size(), kBlockUnit);
  for (uint64_t done = 0; done < bytes.size(); done += most) {
    const std::span<const std::byte> piece = bytes.subspan(done, std::min(most, bytes.size() - done));
    const std::span<std::byte> block = memory.first(round_up(piece.size(), kBlockUnit));
    const auto end = std::copy(piece.begin(), piece.end(), block.begin());
    std::fill(end, block.end(), std::byte{0});
    if (const int error = write(block, offset + done); error != 0) {
      return failed("cannot write {}: {}", path(), error_text(error));
    }
  }
  return {};
}

void share_writing(FunctionRef<bool(uint32_t writer)> work, FunctionRef<void()> between) {
  std::vector<std::thread> helpers;
  for (uint32_t writer = 1; writer < kStoreWriters; ++writer) {
    helpers.emplace_back([work, writer] {
      while (work(writer)) {
      }
    });
  }
  while (work(0)) {
    between();
  }
  for (std::thread& helper : helpers) {
    helper.join();
  }
}

}  // namespace spillway
