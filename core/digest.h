#pragma once

#include <bit>
#include <cstdint>
#include <string>

#include "core/ports.h"
#include "core/rng.h"

namespace spillway {

// Computes a fingerprint of every decision of the pager, in order. Two runs with equal digests made
// the same decisions.
class DecisionDigest final : public Observer {
 public:
  void on(const Event& event) override { state_ = after(state_, event); }

  void on_all(std::span<const Event> events) override {
    // In a register: the compiler cannot know that no event is part of this object.
    uint64_t state = state_;
    for (const Event& event : events) {
      state = after(state, event);
    }
    state_ = state;
  }

  uint64_t value() const { return mix64(state_); }
  std::string hex() const;

 private:
  // Mixes one decision into the state. mix64() would be slower than decisions come: here each decision
  // waits for the one before only through a rotation and one multiplication. Every factor is odd, so no
  // bit of the state is lost.
  static uint64_t after(uint64_t state, const Event& event) {
    if (event.kind > EventKind::evict) {
      return state;
    }
    const uint64_t what = (uint64_t(event.kind) << 32 | index_of(event.expert)) * 0xbf58476d1ce4e5b9U;
    const uint64_t when = event.step * 0x94d049bb133111ebU;
    return (std::rotl(state, 29) ^ what ^ when) * 0x9e3779b97f4a7c15U;
  }

  uint64_t state_ = 0;
};

}  // namespace spillway
