#if defined(__x86_64__)

#include "model/kernels/multiply.h"
#include "model/kernels/quantize.h"
#include "model/kernels/x86.h"

// Compiled with the flags of this instruction set: no function here may run before kernels.cc has checked
// that the processor supports it.
namespace spillway {

const Kernels kAvx512Kernels = {Isa::avx512, "avx512",   quantize,      multiply<X86Dots>,
                                dot,         add_scaled, dot_f16,       add_scaled_f16,
                                to_f16,      rms_norm,   silu_multiply, softmax};

}  // namespace spillway

#endif
