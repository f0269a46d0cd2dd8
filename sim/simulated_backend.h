#pragma once

#include <memory>
#include <vector>

#include "core/ports.h"
#include "sim/virtual_clock.h"

namespace spillway {

// A device model behind the port that real storage stands behind. It carries no bytes. Waiting in reap()
// advances the clock to the earliest completion. What is due at one instant is handed out in the order of
// submission, what was withheld until then in the order in which the device was through with it, so a run has
// one outcome.
class SimulatedBackend final : public Backend, private EventSource {
 public:
  struct Options {
    uint32_t depth = 32;     // requests that the device takes at a time; at least 1
    uint64_t alignment = 1;  // of what it reads; a power of two
    // Completions are seen only once the device has nothing left to do (AccessMethod::tells_all_at_once).
    bool tells_all_at_once = false;
  };

  // `clock` must outlive the backend. Several backends may share it, as
  // several drives share real time.
  SimulatedBackend(std::unique_ptr<DeviceModel> device, VirtualClock& clock, Options options);
  ~SimulatedBackend() override;
  SimulatedBackend(const SimulatedBackend&) = delete;
  SimulatedBackend& operator=(const SimulatedBackend&) = delete;

  const BackendCaps& caps() const override { return caps_; }
  Result<void> attach(std::span<std::byte>) override { return {}; }
  size_t submit(std::span<const IoRequest> requests) override;
  size_t reap(std::span<IoDone> out, size_t at_least) override;

 private:
  struct Pending {
    Nanoseconds finish;
    uint64_t tag;
  };

  std::optional<Nanoseconds> next_event() const override;
  void withhold_completions();

  std::unique_ptr<DeviceModel> device_;
  VirtualClock& clock_;
  BackendCaps caps_;
  bool tells_all_at_once_;
  size_t in_flight() const { return pending_.size() - reaped_; }

  std::vector<Pending> pending_;  // in the order in which they are handed out
  size_t reaped_ = 0;             // of pending_, whose front they still occupy
};

}  // namespace spillway
