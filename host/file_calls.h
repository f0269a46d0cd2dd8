#pragma once

#include <cstdint>

#include "host/posix_file.h"

// What not every system can do with files. Only file_calls.cc asks for which system it is compiled; where a
// call is missing the next best thing is done.
namespace spillway {

// Has the kernel read further ahead: the file is read from front to back.
void advise_sequential(const FileHandle& file);

// Has the kernel drop a range from its page cache that will not be read again.
void drop_cached(const FileHandle& file, uint64_t offset, uint64_t bytes);

}  // namespace spillway
