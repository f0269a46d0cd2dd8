#pragma once

#include <memory>
#include <vector>

#include "core/ports.h"

namespace spillway {

// RAID-0: consecutive chunks of each file lie on consecutive drives. A request is complete when its last
// piece is. Each drive gets its part of a request as one read, since its chunks are adjacent there.
class StripeDevice final : public DeviceModel {
 public:
  // Requires at least one drive and chunk_bytes > 0 (the kernel's md uses 512 KiB by default).
  StripeDevice(std::vector<std::unique_ptr<DeviceModel>> drives, uint64_t chunk_bytes);

  Nanoseconds finish(const IoRequest& request, Nanoseconds now) override;

 private:
  std::vector<std::unique_ptr<DeviceModel>> drives_;
  uint64_t chunk_bytes_;
};

}  // namespace spillway
