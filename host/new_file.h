#pragma once

#include <cstdint>
#include <string>

#include "core/function_ref.h"
#include "core/result.h"
#include "host/file_place.h"
#include "host/posix_file.h"
#include "host/sudden_end.h"

namespace spillway {

// A file that gets its name when it is complete. All files are written through it, by way of
// OutputFile and the stores.
//
// Until then the file has no name at all where the file system supports that, so nothing is left of it
// however the process ends. On other file systems it lies beside its place as NAME.partial-PID-N,
// locked. A signal that ends the process removes it; after a SIGKILL, the next file that is made for the
// same place removes it.
//
// Destroying the object removes the file, unless it was published or keep() was called.
class NewFile {
 public:
  // Makes a file for `place`. An existing file there stays as it is until this one takes its name;
  // without `replace`, taking the name fails if another file has it by then. The new file gets the mode
  // of the one it replaces.
  static Result<NewFile> create(FilePlace place, bool replace);

  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  const FileHandle& handle() const { return handle_; }
  const std::string& path() const { return place_.path; }

  // Fails when the drive has less free room than `bytes` plus `stay_free`.
  Result<void> check_room(uint64_t bytes, uint64_t stay_free = 0) const;
  // Checks the room and reserves it; the file then has its final size.
  Result<void> reserve(uint64_t bytes, uint64_t stay_free = 0) const;

  // Gives the file its name before it is complete, for a recording that is readable while it grows.
  Result<void> take_name();

  // Leaves the file in place when the object is destroyed.
  void keep() { keep_ = true; }

  // Writes the file to the drive, then gives it its name, then writes the name to the drive.
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
  std::string name_;  // the current name; empty: none
  OnSuddenEnd on_sudden_end_;
};

}  // namespace spillway
