#include "runtime/metrics.h"

#include <algorithm>
#include <cmath>

namespace spillway {

PhaseMetrics& PhaseMetrics::operator+=(const PhaseMetrics& other) {
  passes += other.passes;
  tokens += other.tokens;
  accesses += other.accesses;
  hits += other.hits;
  late += other.late;
  misses += other.misses;
  bypasses += other.bypasses;
  evictions += other.evictions;
  bytes_demanded += other.bytes_demanded;
  bytes_missed += other.bytes_missed;
  prefetches_issued += other.prefetches_issued;
  prefetches_useful += other.prefetches_useful;
  prefetches_wasted += other.prefetches_wasted;
  bytes_prefetched += other.bytes_prefetched;
  bytes_wasted += other.bytes_wasted;
  attention += other.attention;
  experts += other.experts;
  stall += other.stall;
  wall += other.wall;
  pass_latency.insert(pass_latency.end(), other.pass_latency.begin(), other.pass_latency.end());
  return *this;
}

void Metrics::on(const Event& event) {
  Sum& sum = open_[size_t(event.kind)];
  ++sum.count;
  sum.bytes += event.bytes;
  sum.time += event.duration;
  if (event.kind == EventKind::pass) {
    end_pass(event);
  }
}

void Metrics::on_all(std::span<const Event> events) {
  for (const Event& event : events) {
    on(event);
  }
}

// Not inlined: `push_back` would make the compiler spill registers in the hot `on()`.
[[gnu::noinline]] void Metrics::end_pass(const Event& event) {
  const bool warm = tallies_[warm_up_region].pass_latency.size() >= warm_up_passes_;
  Tally& tally = tallies_[event.phase == Phase::prefill ? prefill_region
                          : warm                        ? decode_region
                                                        : warm_up_region];
  for (size_t kind = 0; kind < kEventKinds; ++kind) {
    tally.by_kind[kind].count += open_[kind].count;
    tally.by_kind[kind].bytes += open_[kind].bytes;
    tally.by_kind[kind].time += open_[kind].time;
  }
  open_ = {};
  tally.tokens += event.tokens;
  tally.pass_latency.push_back(event.duration);
}

PhaseMetrics Metrics::sums(Region region) const {
  Tally tally = tallies_[region];
  if (region == decode_region) {
    // The pager finds out at the end which prefetches were never demanded. The prefetches that an interrupted
    // pass issued are counted with them.
    for (const EventKind kind : {EventKind::prefetch, EventKind::prefetch_wasted}) {
      tally.by_kind[size_t(kind)].count += open_[size_t(kind)].count;
      tally.by_kind[size_t(kind)].bytes += open_[size_t(kind)].bytes;
    }
  }
  const auto count = [&](EventKind kind) { return tally.by_kind[size_t(kind)].count; };
  const auto bytes = [&](EventKind kind) { return tally.by_kind[size_t(kind)].bytes; };
  const auto time = [&](EventKind kind) { return tally.by_kind[size_t(kind)].time; };
  using enum EventKind;
  return {.passes = count(pass),
          .tokens = tally.tokens,
          .accesses = count(hit) + count(late) + count(miss),
          .late = count(late),
          .hits = count(hit),
          .misses = count(miss),
          .bypasses = count(bypass),
          .bytes_demanded = bytes(hit) + bytes(late) + bytes(miss),
          .evictions = count(evict),
          .bytes_missed = bytes(miss),
          .prefetches_issued = count(prefetch),
          .prefetches_useful = count(prefetch_used),
          .prefetches_wasted = count(prefetch_wasted),
          .bytes_prefetched = bytes(prefetch),
          .bytes_wasted = bytes(prefetch_wasted),
          .attention = time(attention),
          .experts = time(shared_expert) + time(expert),
          .stall = time(stall),
          .wall = time(pass),
          .pass_latency = std::move(tally.pass_latency)};
}

PhaseMetrics Metrics::total() const {
  PhaseMetrics sum = prefill();
  sum += warm_up();
  sum += decode();
  return sum;
}

Nanoseconds quantile(std::vector<Nanoseconds> values, double share) {
  if (values.empty()) {
    return Nanoseconds(0);
  }
  const size_t rank = size_t(std::ceil(share * double(values.size())));
  const size_t index = std::min(values.size() - 1, rank == 0 ? 0 : rank - 1);
  std::nth_element(values.begin(), values.begin() + std::ptrdiff_t(index), values.end());
  return values[index];
}

void Observers::on(const Event& event) {
  digest_.on(event);
  metrics_.on(event);
  if (!others_.empty()) {
    tell_others(event);
  }
}

void Observers::on_all(std::span<const Event> events) {
  digest_.on_all(events);
  metrics_.on_all(events);
  for (Observer* observer : others_) {
    observer->on_all(events);
  }
}

// Not inlined, so that the path of runs without further observers stays short.
[[gnu::noinline]] void Observers::tell_others(const Event& event) {
  for (Observer* observer : others_) {
    observer->on(event);
  }
}

}  // namespace spillway
