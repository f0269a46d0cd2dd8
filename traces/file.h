#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/sudden_end.h"

namespace spillway {

// A file that is being written, by its descriptor. What is written reaches the kernel before the call
// returns. Until finish() the file goes away with the object, unless keep() said that what is there is worth
// having.
class OutputFile {
 public:
  enum class Place {
    in_place,         // a recording: readable while it grows and after a crash
    rename_when_done  // a conversion: `path`.partial until finish(), so that `path` is never half a file
  };

  // Without `replace` an existing `path` is an error.
  static Result<OutputFile> create(const std::string& path, Place place, bool replace);

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  // All of `bytes` or an error that names the path; a part that was written is taken back.
  Result<void> write(std::span<const uint8_t> bytes);
  Result<void> write(std::string_view text);

  void keep() { keep_ = true; }
  Result<void> finish();

  uint64_t bytes_written() const { return bytes_written_; }
  const std::string& path() const { return path_; }

 private:
  OutputFile(std::string path, std::string written_path, int fd, bool replace);

  std::string path_;
  std::string written_path_;  // path_, or the name until finish()
  int fd_ = -1;
  bool replace_ = false;
  bool keep_ = false;
  bool regular_ = false;  // only a regular file of our making may be removed: never /dev/stdout, nor a link
  uint64_t bytes_written_ = 0;
  OnSuddenEnd on_sudden_end_;  // of a .partial; a recording is worth keeping as far as it goes
};

// A file that is being read from front to back or by position. Only regular files: their size bounds what a
// header may claim.
class InputFile {
 public:
  static Result<InputFile> open(const std::string& path);

  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile();

  // Fills a prefix of `into` from `offset`, shorter only at the end of the file.
  Result<size_t> read_at(uint64_t offset, std::span<uint8_t> into) const;

  uint64_t size() const { return size_; }  // when it was opened
  const std::string& path() const { return path_; }

 private:
  InputFile(std::string path, int fd, uint64_t size) : path_(std::move(path)), fd_(fd), size_(size) {}

  std::string path_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

}  // namespace spillway
