#pragma once

#include <vector>

// Passes that are faster with wide instructions are compiled once for each instruction set. A pass is one
// always-inlined function; its copy inside a function with a target attribute is compiled for that target.
namespace spillway {

enum class CurveIsa { portable, avx2, avx512 };

#if defined(__x86_64__)
#define SPILLWAY_CURVE_AVX2 [[gnu::target("avx2,bmi,bmi2,lzcnt,popcnt")]]
#define SPILLWAY_CURVE_AVX512 \
  [[gnu::target("avx2,avx512f,avx512bw,avx512vl,bmi,bmi2,lzcnt,popcnt,prefer-vector-width=512")]]
#endif

inline const char* name_of(CurveIsa isa) {
  static constexpr const char* kNames[] = {"portable", "avx2", "avx512"};
  return kNames[static_cast<int>(isa)];
}

// Returns the instruction sets that this processor supports, the fastest last.
inline std::vector<CurveIsa> available_curve_isas() {
  std::vector<CurveIsa> isas = {CurveIsa::portable};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt")) {
    isas.push_back(CurveIsa::avx2);
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
      isas.push_back(CurveIsa::avx512);
    }
  }
#endif
  return isas;
}

}  // namespace spillway
