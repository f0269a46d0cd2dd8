#pragma once

#include "core/plugins.h"

namespace spillway {

// Every storage backend, the do-nothing one first.
const BackendFamily& backends();

}  // namespace spillway
