#include "stores/model_fingerprint.h"

#include <xxhash.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "core/expects.h"
#include "core/units.h"

namespace spillway {
namespace {

constexpr uint64_t kSamples = 64;
constexpr uint64_t kSampleBytes = 4096;

class Hash {
 public:
  Hash() : state_(XXH3_createState()), buffer_(kMiB) {
    Expects(state_ != nullptr);
    XXH3_64bits_reset(state_.get());
  }

  void add(uint64_t number) { XXH3_64bits_update(state_.get(), &number, sizeof number); }

  // Adds `bytes` bytes of a file from `offset` on, all of which must exist.
  Result<void> add(const InputFile& file, uint64_t offset, uint64_t bytes) {
    while (bytes > 0) {
      const std::span<std::byte> piece = std::span(buffer_).first(std::min<uint64_t>(bytes, buffer_.size()));
      if (Result<void> read = file.read_exactly(offset, piece); !read) {
        return read;
      }
      XXH3_64bits_update(state_.get(), piece.data(), piece.size());
      offset += piece.size();
      bytes -= piece.size();
    }
    return {};
  }

  uint64_t value() const { return XXH3_64bits_digest(state_.get()); }

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
  std::vector<std::byte> buffer_;
};

// Adds one file of the model. Returns the file's size.
Result<uint64_t> add_file(const ModelFile& model, Hash& hash) {
  Result<InputFile> file = InputFile::open(model.path);
  if (!file) {
    return propagate(file);
  }
  const uint64_t head = std::min(model.head_bytes, file->size());
  hash.add(file->size());
  hash.add(head);
  if (Result<void> added = hash.add(*file, 0, head); !added) {
    return propagate(added);
  }
  const uint64_t rest = file->size() - head;
  const uint64_t step = std::max(rest / kSamples, kSampleBytes);
  for (uint64_t at = 0; at < rest; at += step) {
    const uint64_t bytes = std::min(kSampleBytes, rest - at);
    if (Result<void> added = hash.add(*file, head + at, bytes); !added) {
      return propagate(added);
    }
  }
  return file->size();
}

}  // namespace

Result<PackedOrigin> model_fingerprint(std::span<const ModelFile> files) {
  Hash hash;
  PackedOrigin origin;
  for (const ModelFile& file : files) {
    Result<uint64_t> size = add_file(file, hash);
    if (!size) {
      return propagate(size);
    }
    origin.files.push_back({std::filesystem::path(file.path).filename().string(), *size});
  }
  origin.fingerprint = hash.value();
  return origin;
}

}  // namespace spillway
