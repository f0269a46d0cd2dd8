#pragma once

#include "model/kernels/kernels.h"

// The kernels of each instruction set. Only kernels.cc decides whether they may be called.
namespace spillway {

extern const Kernels kPortableKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

// Stops the program because of a caller's bug. The function is out of line, so that no check of the standard
// headers is instantiated with instructions that this processor may lack.
[[noreturn]] void refuse_type(TensorType type);

}  // namespace spillway
