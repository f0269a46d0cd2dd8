#pragma once

#include <span>

#include "core/plugins.h"

namespace spillway {

// Every storage backend, the do-nothing one first.
std::span<const BackendPlugin> backends();

// The members, each alone in the file of its name.
BackendPlugin null_backend();
BackendPlugin pread_backend();
BackendPlugin mmap_backend();
BackendPlugin uring_backend();
BackendPlugin hugepage_backend();

}  // namespace spillway
