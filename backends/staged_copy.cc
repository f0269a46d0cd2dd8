#include "backends/staged_copy.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>

#include "core/units.h"
#include "host/linux/cgroup.h"
#include "host/linux/page_memory.h"

namespace spillway {
namespace {

constexpr uint64_t kCopyBytes = 8 * kMiB;

// Memory that must stay free for everything else, so that filling the copy does not wake the kernel's
// out-of-memory killer.
constexpr uint64_t kMemoryMargin = 512 * kMiB;

struct Block {
  ByteRange range;
  uint64_t place = 0;  // offset in memory
};

std::vector<Block> cut(const StoreFiles& store, std::span<const uint64_t> bases) {
  std::vector<Block> blocks;
  for (uint32_t file = 0; file < store.files.size(); ++file) {
    for (uint64_t offset = 0; offset < store.files[file].bytes; offset += kCopyBytes) {
      blocks.push_back(
          {{file, offset, kCopyBytes}, bases[file] + offset});  // the last one ends behind the file
    }
  }
  return blocks;
}

}  // namespace

Result<StagedCopy> StagedCopy::make(const StoreFiles& store, uint32_t threads) {
  StagedCopy copy;
  uint64_t total = 0;
  for (const StoreFile& file : store.files) {
    copy.bases_.push_back(total);
    // The extra room is for a direct read of the file's end, which is rounded up to a block.
    total += round_up(file.bytes + store.alignment, kHugePageBytes);
  }
  Result<PageMemory> memory = PageMemory::allocate(total, std::nullopt);
  if (!memory) {
    return propagate(memory);
  }
  // Pages of the hugetlb pool are reserved already; pages of other kinds are only promised.
  const std::optional<uint64_t> available = memory_within_reach();
  if (memory->kind() != PageKind::hugetlb && available && *available < total + kMemoryMargin) {
    return unavailable(
        "hugepage: stage=1 copies the store into memory and needs {} of it, but only {} is available; free "
        "some, use a smaller store or stage=0",
        format_bytes(total + kMemoryMargin), format_bytes(*available));
  }
  copy.memory_ = std::move(*memory);
  if (Result<void> touched = copy.memory_.touch(); !touched) {
    return propagate(touched);
  }
  if (Result<void> filled = copy.fill(store, threads); !filled) {
    return propagate(filled);
  }
  return copy;
}

Result<void> StagedCopy::fill(const StoreFiles& store, uint32_t threads) {
  const std::vector<Block> blocks = cut(store, bases_);
  std::atomic<size_t> next = 0;
  std::atomic<int> error = 0;
  std::atomic<size_t> culprit = 0;
  const auto work = [&] {
    for (size_t i = next++; i < blocks.size() && error == 0; i = next++) {
      const ReadExtent extent = read_extent(store, blocks[i].range);
      const ReadOutcome outcome =
          read_at(store.files[blocks[i].range.file].handle.get(),
                  memory_.bytes().subspan(blocks[i].place, extent.ask), blocks[i].range.offset, extent.need);
      if (outcome.error != 0 || outcome.bytes < extent.need) {
        culprit = i;
        error = outcome.error != 0 ? outcome.error : EIO;
      }
    }
  };
  std::vector<std::thread> helpers;
  helpers.reserve(threads);
  try {
    for (uint32_t i = 1; i < threads; ++i) {
      helpers.emplace_back(work);
    }
  } catch (const std::system_error&) {
    // The user's limit on threads is reached: the threads that exist do the work.
  }
  work();
  for (std::thread& helper : helpers) {
    helper.join();
  }
  if (error != 0) {
    const ByteRange& range = blocks[culprit].range;
    return failed("cannot read {} at offset {}: {}", store.files[range.file].path, range.offset,
                  error_text(error));
  }
  return {};
}

}  // namespace spillway
