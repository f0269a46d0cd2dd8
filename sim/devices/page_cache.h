#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "core/ports.h"

namespace spillway {

// A drive behind the operating system's page cache. Bytes that were read stay in memory while there
// is room; the least recently used ones go first. A read of bytes in memory costs the time of
// `warm` instead of `cold`.
//
// Memory is kept in units larger than pages, like the kernel's large folios, since a file of 20 GB has five
// million pages. The kernel's two lists tolerate scans better than one LRU list does, so this model's hit
// ratios are a little low where much is read only once.
class PageCacheDevice final : public DeviceModel {
 public:
  struct Options {
    uint64_t capacity = 0;      // bytes of the cache; with less than a unit nothing stays
    uint64_t unit = 64 * 1024;  // bytes that come and go together
    uint64_t read_ahead = 0;    // bytes read beyond a missing run, up to the next unit in memory
    Nanoseconds reclaim{0};     // time to evict a unit
  };

  // Requires options.unit > 0.
  PageCacheDevice(std::unique_ptr<DeviceModel> cold, std::unique_ptr<DeviceModel> warm,
                  const Options& options);

  Nanoseconds finish(const IoRequest& request, Nanoseconds now) override;

  std::optional<uint64_t> bytes_behind_page_cache() const override { return cold_bytes_; }

 private:
  static constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

  // A unit of a file that was read at least once; if in memory, an entry of the list in order of use.
  struct Unit {
    uint32_t older = kNone;
    uint32_t newer = kNone;
    bool present = false;
    Nanoseconds arrives{0};  // when its bytes are in memory
  };

  uint32_t index_of_unit(uint32_t file, uint64_t unit);
  void touch(uint32_t index);
  void unlink(uint32_t index);
  Nanoseconds read_run(const IoRequest& request, uint64_t first, uint64_t last, Nanoseconds now);

  std::unique_ptr<DeviceModel> cold_;
  std::unique_ptr<DeviceModel> warm_;
  Options options_;
  std::vector<std::vector<uint32_t>> places_;  // [file][unit]: index in units_, or kNone
  std::vector<Unit> units_;
  uint32_t oldest_ = kNone;
  uint32_t newest_ = kNone;
  uint64_t present_ = 0;
  uint64_t cold_bytes_ = 0;  // read from the drive, read-ahead included
};

}  // namespace spillway
