#pragma once

#include <cstdint>
#include <string>

#include "core/ports.h"
#include "core/rng.h"

namespace spillway {

// Fingerprint of every decision the pager took, in order. Two runs with equal digests made the same
// decisions.
class DecisionDigest final : public Observer {
 public:
  void on(const Event& event) override {
    if (event.kind <= EventKind::evict) {
      const uint64_t word = (uint64_t(event.kind) << 32) | index_of(event.expert);
      state_ = mix64(mix64(state_ ^ word) ^ event.step);
    }
  }

  uint64_t value() const { return state_; }
  std::string hex() const;

 private:
  uint64_t state_ = 0;
};

}  // namespace spillway
