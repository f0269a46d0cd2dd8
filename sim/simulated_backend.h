#pragma once

#include <memory>
#include <vector>

#include "core/ports.h"
#include "sim/virtual_clock.h"

namespace spillway {

// A device model behind the same port as real storage. It carries no bytes. Waiting in reap() advances the
// clock to the earliest completion. Completions that are due at the same instant are handed out in the order
// of submission; completions withheld until then, in the order in which the device finished them. So a run
// has only one outcome.
class SimulatedBackend final : public Backend, private EventSource {
 public:
  struct Options {
    uint32_t depth = 32;     // requests that the device accepts at a time; at least 1
    uint64_t alignment = 1;  // of offsets and lengths; a power of two
    // The device reports completions only once it is idle (AccessMethod::tells_all_at_once).
    bool tells_all_at_once = false;
  };

  // `clock` must outlive the backend. Several backends may share a clock, as several drives share real time.
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

  std::vector<Pending> pending_;  // in the order in which completions are handed out
  size_t reaped_ = 0;             // how many at the front of pending_ were reaped already
};

}  // namespace spillway
