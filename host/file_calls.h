#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "host/posix_file.h"

// Calls on files that some systems or file systems lack. Only file_calls.cc depends on the system it
// is compiled for; where a call is missing, it does the next best thing. A returned `int` is an
// errno, 0 for success.
namespace spillway {

// Makes a file in `folder` without a name, reached through its descriptor only, open for reading and writing.
// The kernel frees its room when the process ends, however it ends. Returns an empty handle where such a file
// is not available or cannot be named later.
FileHandle open_unnamed(const std::string& folder, unsigned mode);

// Gives a file of open_unnamed() the name `path`. Returns EEXIST if the name is taken.
int give_name(const FileHandle& unnamed, const std::string& path);

// Renames `from` to `to`. Returns EEXIST if the name `to` is taken, even if it was taken at the last moment.
int rename_to_free(const std::string& from, const std::string& to);

// Reserves room for a file of `bytes` bytes. Where room cannot be reserved, only sets the file's size.
int take_room(const FileHandle& file, uint64_t bytes);

// Makes reads and writes of `file` go past the page cache, so that they have to be aligned. Returns false
// where that is not possible.
bool bypass_page_cache(const FileHandle& file);

// Waits until a written range is on the drive, and drops it from the page cache.
void write_through(const FileHandle& file, uint64_t offset, uint64_t bytes);

// Asks the kernel to read further ahead, for a file that is read from front to back.
void advise_sequential(const FileHandle& file);

// Drops a range that will not be read again from the page cache.
void drop_cached(const FileHandle& file, uint64_t offset, uint64_t bytes);

// Keeps other makers of `path` away while the returned handle exists. Returns nothing if another process is
// making the file. Where a folder cannot be locked, every caller gets a handle.
std::optional<FileHandle> claim_name(const std::string& path);

// Waits until written bytes outlast a loss of power. Returns an errno such as EIO if they are lost; returns 0
// also on a file system that has no such call.
int settle(const FileHandle& file);

// Waits until the name `path`, which is stored in its folder, outlasts a loss of power. Where that is not
// possible, the kernel stores the name soon after.
void settle_name(const std::string& path);

// Returns true if `path` names this very file and is not a link to it.
bool is_called(const FileHandle& file, const std::string& path);

// Returns a path that leads to an open file for as long as this process has it open.
std::string descriptor_path(const FileHandle& file);

// Returns the folder that `path` is in.
std::string folder_of(const std::string& path);

}  // namespace spillway
