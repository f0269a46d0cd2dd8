#pragma once

#include <cstdint>
#include <string>

#include "core/ports.h"

namespace spillway {

// Fingerprint of every decision the pager took, in order. Two runs with equal digests made the same
// decisions.
class DecisionDigest final : public Observer {
 public:
  void on(const Event& event) override;

  uint64_t value() const { return state_; }
  std::string hex() const;

 private:
  uint64_t state_ = 0;
};

}  // namespace spillway
