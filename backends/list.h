#pragma once

#include "core/plugins.h"

namespace spillway {

// Returns the storage backends, the do-nothing one first.
const BackendFamily& backends();

}  // namespace spillway
