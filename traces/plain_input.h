#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "host/file.h"

namespace spillway {

// A file that may be compressed with zstd or gzip, which its first bytes tell, not its name. Reads give the
// content as it was before. Several frames or members in a row are one content. Takes the memory of one
// window (at most 128 MiB), whatever the file claims.
class PlainInput {
 public:
  static Result<PlainInput> open(const std::string& path);
  PlainInput(PlainInput&&) noexcept;
  PlainInput& operator=(PlainInput&&) noexcept;
  ~PlainInput();

  // Fills `into` from `offset` of the content and returns the bytes read: fewer than asked for only at its
  // end. A compressed file is read from its beginning again when `offset` lies before the last read. Fails
  // when the compressed data is damaged, cut off, or expands beyond 256 MiB and 1024 times its size.
  Result<size_t> read_at(uint64_t offset, std::span<uint8_t> into);
  Result<size_t> read_at(uint64_t offset, std::span<std::byte> into);

  // Returns the bytes of the content. A compressed file is decompressed once to find out.
  Result<uint64_t> size();

  const std::string& path() const { return file_.path(); }
  bool is_compressed() const { return stream_ != nullptr; }

  struct Decoder;  // of one way to compress

 private:
  class Stream;

  PlainInput(InputFile file, std::unique_ptr<Stream> stream);

  InputFile file_;
  std::unique_ptr<Stream> stream_;  // set where the file is compressed
  std::optional<uint64_t> size_;
};

}  // namespace spillway
