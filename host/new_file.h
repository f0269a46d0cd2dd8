#pragma once

#include <cstdint>
#include <string>

#include "core/function_ref.h"
#include "core/result.h"
#include "host/file_place.h"
#include "host/posix_file.h"
#include "host/sudden_end.h"

namespace spillway {

// A file that gets its name when it is whole: the one writer of files, below OutputFile and the stores.
//
// Until then it has no name at all, where the file system can make such a file, so that nothing of it is left
// however the process ends. Elsewhere it lies beside its place as NAME.partial-PID-N, locked: a signal that
// ends the process removes it, and after a SIGKILL the next file that is made for the same place does.
//
// Gone with the object unless it was published or is to be kept.
class NewFile {
 public:
  // What is at `place` stays as it is until this file takes its name. Without `replace`, whatever has that
  // name by then is an error. The mode is that of the file to be replaced.
  static Result<NewFile> create(FilePlace place, bool replace);

  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  const FileHandle& handle() const { return handle_; }
  const std::string& path() const { return place_.path; }

  // Fails when the drive has less room than so many bytes and those that must stay free.
  Result<void> check_room(uint64_t bytes, uint64_t stay_free = 0) const;
  // The same, and takes the room: the file has its size then.
  Result<void> reserve(uint64_t bytes, uint64_t stay_free = 0) const;

  // Gives the file its name now, as a recording has one that is readable while it grows.
  Result<void> take_name();

  void keep() { keep_ = true; }

  // Puts the file on the drive, then gives it its name, then puts the name on the drive.
  Result<void> publish();

 private:
  NewFile(FilePlace place, bool replace) : place_(std::move(place)), replace_(replace) {}

  Result<void> find_name(FunctionRef<int(const std::string& name)> take);
  int open_named(const std::string& name);
  Result<void> replace_by_rename();
  void remove() const;

  FilePlace place_;
  bool replace_ = false;
  bool keep_ = false;
  FileHandle handle_;
  std::string name_;  // of now; empty: none
  OnSuddenEnd on_sudden_end_;
};

}  // namespace spillway
