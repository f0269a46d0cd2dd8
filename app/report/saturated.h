#pragma once

#include <limits>

namespace spillway {

// Cuts off the fraction of `value`. A number that T cannot hold becomes the nearest that it can: a file may
// claim any number. What is no number becomes 0.
template <class T>
T saturated(double value) {
  constexpr auto kMost = static_cast<double>(std::numeric_limits<T>::max());  // rounded up to a power of two
  constexpr auto kLeast = static_cast<double>(std::numeric_limits<T>::min());
  if (!(value > kLeast)) {
    return value <= kLeast ? std::numeric_limits<T>::min() : T(0);
  }
  return value < kMost ? static_cast<T>(value) : std::numeric_limits<T>::max();
}

}  // namespace spillway
