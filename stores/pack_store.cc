#include "stores/pack_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <optional>

#include "core/expects.h"
#include "core/units.h"
#include "host/linux/page_memory.h"
#include "stores/packed_index.h"
#include "stores/partial_file.h"

namespace spillway {
namespace {

PackedHeader header_for(const PackPlan& plan) {
  PackedHeader header;
  header.layers = uint32_t(plan.tables.layers.size());
  header.experts_per_layer = plan.tables.experts_per_layer;
  for (const std::vector<ExpertTable>& parts : plan.tables.layers) {
    uint64_t& sum = header.expert_bytes.emplace_back(0);
    for (const ExpertTable& part : parts) {
      sum += part.bytes;
    }
  }
  header.packed = plan.content;
  return header;
}

void check_plan(const PackPlan& plan) {
  const uint32_t experts = plan.tables.experts_per_layer;
  Expects(plan.content.parts.size() == plan.tables.layers.size());
  Expects(plan.slots.size() == plan.tables.layers.size() * experts);
  for (size_t layer = 0; layer < plan.tables.layers.size(); ++layer) {
    Expects(plan.content.parts[layer].size() == plan.tables.layers[layer].size());
    Expects(is_permutation_of_slots(std::span(plan.slots).subspan(layer * experts, experts)));
  }
}

// Fails if a store may not be made at the plan's path.
Result<void> check_path(const PackPlan& plan) {
  struct stat status = {};
  if (::lstat(plan.path.c_str(), &status) != 0) {
    return {};
  }
  if (!S_ISREG(status.st_mode)) {
    return failed("{}: exists and is not a regular file; choose another name for the store", plan.path);
  }
  if (!plan.replace) {
    return failed("{}: exists already; choose another name or give --force to replace it", plan.path);
  }
  for (const std::string& file : plan.tables.files) {
    std::error_code ignored;
    if (std::filesystem::equivalent(plan.path, file, ignored)) {
      return wrong_usage("{}: is the model itself; choose another name for the store", plan.path);
    }
  }
  return {};
}

// Writes the experts with several threads, which share them out among themselves.
class PackWriter {
 public:
  PackWriter(const PackPlan& plan, const std::vector<InputFile>& model, const PackedHeader& header,
             const PartialFile& file)
      : plan_(plan), model_(model), header_(header), layout_(header), file_(file) {
    entries_.resize(plan.slots.size());
    for (const uint64_t bytes : header.expert_bytes) {
      total_ += bytes * header.experts_per_layer;
      most_ = std::max(most_, round_up(bytes, kPackedAlignment));
    }
  }

  uint64_t memory_per_writer() const { return std::max(most_, kPackedAlignment); }

  Result<void> run(std::span<std::byte> memory, StoreProgress progress) {
    const uint64_t own = memory_per_writer();
    const auto work = [&](uint32_t writer) { return write_next(memory.subspan(writer * own, own)); };
    const auto between = [&] {
      if (!progress(done_, total_)) {
        fail({ErrorKind::failed,
              fmt::format("making store {} was stopped; nothing of it is left", plan_.path)});
      }
    };
    share_writing(work, between);
    return error_ ? Result<void>(Unexpected(*error_)) : Result<void>();
  }

  const std::vector<PackedEntry>& entries() const { return entries_; }

 private:
  bool write_next(std::span<std::byte> memory) {
    const uint64_t index = next_.fetch_add(1);
    if (index >= entries_.size() || stopped_) {
      return false;
    }
    if (Result<void> written = write_expert(uint32_t(index), memory); !written) {
      fail(std::move(written.error()));
      return false;
    }
    return true;
  }

  Result<void> write_expert(uint32_t index, std::span<std::byte> memory) {
    const uint32_t layer = index / header_.experts_per_layer;
    const uint64_t bytes = header_.expert_bytes[layer];
    const std::span<std::byte> expert = memory.first(bytes);
    if (Result<void> read = read_expert(layer, index % header_.experts_per_layer, expert); !read) {
      return read;
    }
    const uint32_t slot = plan_.slots[index];
    entries_[index] = {packed_checksum(expert), packed_sample(index, expert), slot, 0};
    std::vector<ByteRange> ranges;
    layout_.ranges(layer, slot, ranges);
    if (ranges.empty()) {
      return {};  // a layer without experts
    }
    const std::span<std::byte> block = memory.first(round_up(bytes, kPackedAlignment));
    std::fill(block.begin() + ptrdiff_t(bytes), block.end(), std::byte{0});
    if (const int error = file_.write(block, ranges.front().offset); error != 0) {
      return failed("cannot write {}: {}", file_.path(), error_text(error));
    }
    done_ += bytes;
    return {};
  }

  Result<void> read_expert(uint32_t layer, uint32_t expert, std::span<std::byte> into) const {
    for (const ExpertTable& part : plan_.tables.layers[layer]) {
      const InputFile& file = model_[part.file];
      const uint64_t offset = part.offset + expert * part.bytes;
      if (Result<void> read = file.read_exactly(offset, into.first(part.bytes)); !read) {
        return read;
      }
      file.drop_cached(offset, part.bytes);
      into = into.subspan(part.bytes);
    }
    return {};
  }

  // Stores the first error and stops all writers.
  void fail(Error error) {
    const std::lock_guard lock(mutex_);
    if (!error_) {
      error_ = std::move(error);
    }
    stopped_ = true;
  }

  const PackPlan& plan_;
  const std::vector<InputFile>& model_;
  const PackedHeader& header_;
  const PackedLayout layout_;
  const PartialFile& file_;
  uint64_t total_ = 0;
  uint64_t most_ = 0;
  std::vector<PackedEntry> entries_;  // each written by the thread that took its index
  std::atomic<uint64_t> next_ = 0;
  std::atomic<uint64_t> done_ = 0;
  std::atomic<bool> stopped_ = false;
  std::mutex mutex_;
  std::optional<Error> error_;
};

// Writes the entries and the header. The header comes last, so that a file without it is never
// taken for a store.
Result<void> write_rest(const PartialFile& file, PackedHeader& header,
                        const std::vector<PackedEntry>& entries, std::span<std::byte> memory) {
  header.packed->index_checksum = index_checksum(entries);
  const uint64_t behind = PackedLayout(header).file_bytes();
  if (Result<void> written = file.write_padded(std::as_bytes(std::span(entries)), behind, memory); !written) {
    return written;
  }
  Result<std::string> text = write_packed_header(header);
  if (!text) {
    return propagate(text);
  }
  return file.write_padded(std::as_bytes(std::span(*text)), 0, memory);
}

}  // namespace

Result<uint64_t> pack_store(const PackPlan& plan, StoreProgress progress) {
  check_plan(plan);
  if (Result<void> possible = check_path(plan); !possible) {
    return propagate(possible);
  }
  PackedHeader header = header_for(plan);
  // A header that is too large is detected now and not after gigabytes.
  if (Result<std::string> text = write_packed_header(header); !text) {
    return failed("{}: {}", plan.path, text.error().message);
  }
  Result<std::vector<InputFile>> model = open_inputs(plan.tables.files);
  if (!model) {
    return propagate(model);
  }
  Result<PartialFile> file = PartialFile::create(plan.path, plan.replace);
  if (!file) {
    return propagate(file);
  }
  PackWriter writer(plan, *model, header, *file);
  const uint64_t bytes =
      PackedLayout(header).file_bytes() + round_up(plan.slots.size() * sizeof(PackedEntry), kPackedAlignment);
  if (Result<void> room = file->reserve(bytes); !room) {
    return propagate(room);
  }
  if (!progress(0, bytes)) {
    return failed("making store {} was stopped; nothing of it is left", plan.path);
  }
  Result<PageMemory> memory = PageMemory::allocate(kStoreWriters * writer.memory_per_writer(), std::nullopt);
  if (!memory) {
    return propagate(memory);
  }
  if (Result<void> written = writer.run(memory->bytes(), progress); !written) {
    return propagate(written);
  }
  if (Result<void> written = write_rest(*file, header, writer.entries(), memory->bytes()); !written) {
    return propagate(written);
  }
  if (Result<void> published = file->publish(); !published) {
    return propagate(published);
  }
  return bytes;
}

}  // namespace spillway
