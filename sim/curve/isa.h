#pragma once

#include <vector>

// Passes that gain by wide instructions are compiled once for each set of them: a pass is one always-inlined
// function, and its copy inside a function of a target is compiled for that target.
namespace spillway {

enum class CurveIsa { portable, avx2 };

#if defined(__x86_64__)
#define SPILLWAY_CURVE_AVX2 [[gnu::target("avx2,bmi,bmi2,lzcnt,popcnt")]]
#endif

// What this processor can run, the fastest last.
inline std::vector<CurveIsa> available_curve_isas() {
  std::vector<CurveIsa> isas = {CurveIsa::portable};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt")) {
    isas.push_back(CurveIsa::avx2);
  }
#endif
  return isas;
}

}  // namespace spillway
