#include "core/digest.h"

#include "core/rng.h"

namespace spillway {

void DecisionDigest::on(const Event& event) {
  if (event.kind > EventKind::evict) {
    return;
  }
  const uint64_t word = (uint64_t(event.kind) << 32) | index_of(event.expert);
  state_ = mix64(mix64(state_ ^ word) ^ event.step);
}

std::string DecisionDigest::hex() const {
  return fmt::format("{:016x}", state_);
}

}  // namespace spillway
