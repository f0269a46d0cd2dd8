#include "sim/devices/page_cache.h"

#include <algorithm>

#include "core/expects.h"

namespace spillway {

PageCacheDevice::PageCacheDevice(std::unique_ptr<DeviceModel> cold, std::unique_ptr<DeviceModel> warm,
                                 const Options& options)
    : cold_(std::move(cold)), warm_(std::move(warm)), options_(options) {
  Expects(cold_ != nullptr && warm_ != nullptr && options_.unit > 0);
}

Nanoseconds PageCacheDevice::finish(const IoRequest& request, Nanoseconds now) {
  const uint64_t begin = request.range.offset;
  const uint64_t end = begin + std::max<uint64_t>(request.range.bytes, 1);
  const uint64_t last = (end - 1) / options_.unit;
  Nanoseconds done = now;
  uint64_t warm_bytes = 0;
  for (uint64_t unit = begin / options_.unit; unit <= last;) {
    const uint32_t index = index_of_unit(request.range.file, unit);
    if (units_[index].present) {
      const uint64_t from = std::max(begin, unit * options_.unit);
      warm_bytes += std::min(end, (unit + 1) * options_.unit) - from;
      done = std::max(done, units_[index].arrives);
      touch(index);
      ++unit;
      continue;
    }
    uint64_t until = unit;  // the last unit of the missing run
    while (until < last && !units_[index_of_unit(request.range.file, until + 1)].present) {
      ++until;
    }
    done = std::max(done, read_run(request, unit, until, now));
    unit = until + 1;
  }
  if (warm_bytes > 0) {
    done =
        std::max(done, warm_->finish({request.tag, {request.range.file, begin, warm_bytes}, nullptr}, now));
  }
  return done;
}

// Reads the units from `first` to `last`, none of which is in memory, and the read-ahead behind them from the
// drive. The read-ahead ends before the first unit in memory.
Nanoseconds PageCacheDevice::read_run(const IoRequest& request, uint64_t first, uint64_t last,
                                      Nanoseconds now) {
  const uint64_t ahead = (options_.read_ahead + options_.unit - 1) / options_.unit;
  uint64_t units = last - first + 1;
  const uint64_t most = units + ahead;
  while (units < most && !units_[index_of_unit(request.range.file, first + units)].present) {
    ++units;
  }
  const uint64_t room = options_.capacity / options_.unit;
  Nanoseconds reclaimed{0};
  for (uint64_t unit = first; unit < first + units && room > 0; ++unit) {
    const uint32_t index = index_of_unit(request.range.file, unit);
    if (present_ == room) {
      unlink(oldest_);
      reclaimed += options_.reclaim;
    }
    touch(index);
  }
  const uint64_t bytes = units * options_.unit;
  cold_bytes_ += bytes;
  const Nanoseconds done =
      reclaimed +
      cold_->finish({request.tag, {request.range.file, first * options_.unit, bytes}, nullptr}, now);
  for (uint64_t unit = first; unit < first + units && room > 0; ++unit) {
    units_[index_of_unit(request.range.file, unit)].arrives = done;
  }
  return done;
}

uint32_t PageCacheDevice::index_of_unit(uint32_t file, uint64_t unit) {
  if (places_.size() <= file) {
    places_.resize(file + 1);
  }
  std::vector<uint32_t>& places = places_[file];
  if (places.size() <= unit) {
    places.resize(unit + 1, kNone);
  }
  if (places[unit] == kNone) {
    places[unit] = uint32_t(units_.size());
    units_.emplace_back();
  }
  return places[unit];
}

void PageCacheDevice::touch(uint32_t index) {
  Unit& unit = units_[index];
  const Nanoseconds arrives = unit.arrives;  // kept, as the bytes may still be on their way
  if (unit.present) {
    unlink(index);
  }
  unit.arrives = arrives;
  unit.older = newest_;
  unit.newer = kNone;
  unit.present = true;
  (newest_ == kNone ? oldest_ : units_[newest_].newer) = index;
  newest_ = index;
  ++present_;
}

void PageCacheDevice::unlink(uint32_t index) {
  Unit& unit = units_[index];
  (unit.older == kNone ? oldest_ : units_[unit.older].newer) = unit.newer;
  (unit.newer == kNone ? newest_ : units_[unit.newer].older) = unit.older;
  unit = {};
  --present_;
}

}  // namespace spillway
