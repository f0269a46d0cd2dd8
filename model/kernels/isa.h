#pragma once

#include "model/kernels/kernels.h"

// What each instruction set's source gives to kernels.cc, which alone decides whether it may be called.
namespace spillway {

extern const Kernels kPortableKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

// Stops the program: a caller's bug. Out of line, so that no check of the standard headers is instantiated
// with instructions that this processor may lack.
[[noreturn]] void refuse_type(TensorType type);

}  // namespace spillway
