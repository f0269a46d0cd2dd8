#include "core/digest.h"

namespace spillway {

std::string DecisionDigest::hex() const {
  return fmt::format("{:016x}", state_);
}

}  // namespace spillway
