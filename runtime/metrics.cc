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
  PhaseMetrics& phase = event.phase == Phase::prefill       ? prefill_
                        : warm_up_.passes < warm_up_passes_ ? warm_up_
                                                            : decode_;
  switch (event.kind) {
    case EventKind::hit:
      ++phase.accesses;
      ++phase.hits;
      phase.bytes_demanded += event.bytes;
      break;
    case EventKind::late:
      ++phase.accesses;
      ++phase.late;
      phase.bytes_demanded += event.bytes;
      break;
    case EventKind::miss:
      ++phase.accesses;
      ++phase.misses;
      phase.bytes_demanded += event.bytes;
      phase.bytes_missed += event.bytes;
      break;
    case EventKind::bypass:
      ++phase.bypasses;
      break;
    case EventKind::evict:
      ++phase.evictions;
      break;
    case EventKind::prefetch:
      ++phase.prefetches_issued;
      phase.bytes_prefetched += event.bytes;
      break;
    case EventKind::prefetch_used:
      ++phase.prefetches_useful;
      break;
    case EventKind::prefetch_wasted:
      ++phase.prefetches_wasted;
      phase.bytes_wasted += event.bytes;
      break;
    case EventKind::attention:
      phase.attention += event.duration;
      break;
    case EventKind::shared_expert:
    case EventKind::expert:
      phase.experts += event.duration;
      break;
    case EventKind::stall:
      phase.stall += event.duration;
      break;
    case EventKind::pass:
      end_pass(phase, event);
      break;
    case EventKind::admit:
    case EventKind::io:
    case EventKind::step:
      break;
  }
}

// Apart from the rest, which it would burden with the registers that growing a vector needs.
[[gnu::noinline]] void Metrics::end_pass(PhaseMetrics& phase, const Event& event) {
  ++phase.passes;
  phase.tokens += event.tokens;
  phase.wall += event.duration;
  phase.pass_latency.push_back(event.duration);
}

PhaseMetrics Metrics::total() const {
  PhaseMetrics sum = prefill_;
  sum += warm_up_;
  sum += decode_;
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

Observers::Observers(std::vector<Observer*> list) : list_(std::move(list)) {
  if (list_.size() == 2) {
    metrics_ = dynamic_cast<Metrics*>(list_[0]);
    digest_ = dynamic_cast<DecisionDigest*>(list_[1]);
  }
}

void Observers::on(const Event& event) {
  if (metrics_ == nullptr || digest_ == nullptr) {
    tell_all(event);
  } else {
    digest_->on(event);
    metrics_->on(event);
  }
}

[[gnu::noinline]] void Observers::tell_all(const Event& event) {
  for (Observer* observer : list_) {
    observer->on(event);
  }
}

}  // namespace spillway
