#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "host/posix_file.h"

// What not every system, or not every file system, can do with files. Only file_calls.cc asks for which
// system it is compiled; where a call is missing, the next best thing is done. An `int` is an errno, 0 for
// success.
namespace spillway {

// Makes a file in `folder` that only its descriptor leads to, open for reading and writing: the kernel frees
// its room when the process ends, however it ends. Empty where no such file can be had or be named later.
FileHandle open_unnamed(const std::string& folder, unsigned mode);

// Gives a file of open_unnamed() the name `path`; EEXIST when that name is taken.
int give_name(const FileHandle& unnamed, const std::string& path);

// Renames `from`, unless the name `to` is taken: EEXIST then, also when it is taken at the last moment.
int rename_to_free(const std::string& from, const std::string& to);

// Takes the room that a file of so many bytes needs; where that cannot be asked for, sets its size alone.
int take_room(const FileHandle& file, uint64_t bytes);

// True when reads and writes go past the page cache from now on, and so have to be aligned.
bool bypass_page_cache(const FileHandle& file);

// Waits until a range that was written is on the drive, and drops it from the page cache.
void write_through(const FileHandle& file, uint64_t offset, uint64_t bytes);

// Has the kernel read further ahead: the file is read from front to back.
void advise_sequential(const FileHandle& file);

// Drops a range that will not be read again from the page cache.
void drop_cached(const FileHandle& file, uint64_t offset, uint64_t bytes);

// Keeps other makers of `path` away until the handle, or the process, is gone; nothing when one is at work.
// Where a folder cannot be locked everybody gets a handle.
std::optional<FileHandle> claim_name(const std::string& path);

// Waits until what was written outlasts a loss of power. EIO and the like when it is lost; 0 also on a file
// system that knows no such thing.
int settle(const FileHandle& file);

// The same for the name `path`, which is its folder's to keep. Where that cannot be asked for, the name lasts
// soon after.
void settle_name(const std::string& path);

// True when the name `path` is that of this very file, and no link.
bool is_called(const FileHandle& file, const std::string& path);

// A path that leads to an open file for as long as this process has it open.
std::string descriptor_path(const FileHandle& file);

// The folder that `path` is in.
std::string folder_of(const std::string& path);

}  // namespace spillway
