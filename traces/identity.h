#pragma once

#include <string>

#include "core/result.h"

namespace spillway {

// Returns what tells a trace from every other: a hash, in hexadecimal digits, over the checksums of its
// header and of its blocks. Reads their heads alone. Two files with the same identity hold the same steps of
// the same model. Fails if the file is no trace.
Result<std::string> trace_identity(const std::string& path);

}  // namespace spillway
