#include "app/calibrate/measuring_plan.h"

#include <algorithm>
#include <utility>

namespace spillway {
namespace {

// No measurement is shorter.
constexpr double kLeast_s = 0.02;

// Share of the time after which no further group begins, so that a second round tells how far rounds differ.
constexpr double kFirstRoundShare = 0.5;

}  // namespace

MeasuringPlan::MeasuringPlan(std::vector<Load> loads, uint32_t rounds, Nanoseconds time, uint64_t seed)
    : loads_(std::move(loads)), rounds_(rounds), time_s_(seconds(time)), rng_(seed), own_s_(loads_.size()) {
  for (size_t i = 0; i < loads_.size(); ++i) {
    groups_.resize(std::max(groups_.size(), loads_[i].group + 1));
    groups_[loads_[i].group].push_back(i);
    kind_s_.resize(std::max(kind_s_.size(), loads_[i].kind + 1));
  }
}

// Returns what measuring a load takes besides the duration that is asked for.
double MeasuringPlan::besides_s(size_t load, double bytes_per_s) const {
  if (own_s_[load]) {
    return *own_s_[load];
  }
  const Mean& kind = kind_s_[loads_[load].kind];
  const double mean = kind.count > 0 ? kind.sum_s / double(kind.count) : 0;
  // The reads in flight at the end have to end, and one full set has to end for a first result.
  const double reads = bytes_per_s > 0 ? 2 * double(loads_[load].bytes_in_flight) / bytes_per_s : 0;
  return std::max(mean, reads);
}

// Each round has another order, so that a disturbance from outside does not always hit the same load.
void MeasuringPlan::enqueue(std::vector<size_t> loads) {
  for (size_t i = loads.size(); i > 1; --i) {
    std::swap(loads[i - 1], loads[rng_.below(i)]);
  }
  queue_ = std::move(loads);
}

// Begins the next group of the first round that fits. Returns false if there is none.
bool MeasuringPlan::begin_group(double spent_s, double bytes_per_s) {
  const double share = rounds_ > 1 ? kFirstRoundShare : 1;
  const double deadline_s = *start_s_ + share * (time_s_ - *start_s_);
  while (next_group_ < groups_.size()) {
    const std::vector<size_t>& group = groups_[next_group_++];
    double cost_s = 0;
    for (const size_t load : group) {
      cost_s += kLeast_s + besides_s(load, bytes_per_s);
    }
    if (kept_.empty() || spent_s + cost_s <= deadline_s) {
      kept_.insert(kept_.end(), group.begin(), group.end());
      enqueue(group);
      return true;
    }
  }
  return false;
}

// Begins a further round over everything that is kept. Returns false after the last, or if the round before
// it had no time for any load.
bool MeasuringPlan::begin_round() {
  if (round_ + 1 >= rounds_ || (round_ > 0 && begun_ == 0)) {
    return false;
  }
  ++round_;
  begun_ = 0;
  enqueue(kept_);
  return true;
}

std::optional<MeasuringPlan::Next> MeasuringPlan::next(Nanoseconds spent, double bytes_per_s) {
  const double spent_s = seconds(spent);
  start_s_ = start_s_.value_or(spent_s);
  while (true) {
    if (queue_.empty() && !(round_ == 0 && begin_group(spent_s, bytes_per_s)) && !begin_round()) {
      return std::nullopt;
    }
    const size_t load = queue_.back();
    queue_.pop_back();
    const double besides = besides_s(load, bytes_per_s);
    if (round_ > 0 && spent_s + besides + kLeast_s > time_s_) {
      continue;
    }
    ++begun_;
    // In the first round nobody knows yet how many groups there will be time for.
    const size_t left =
        round_ == 0 ? loads_.size() * rounds_ : queue_.size() + 1 + kept_.size() * (rounds_ - round_ - 1);
    const double share = (time_s_ - (round_ == 0 ? *start_s_ : spent_s)) / double(left);
    return Next{load, from_seconds(std::max(kLeast_s, share - besides))};
  }
}

void MeasuringPlan::took(size_t load, Nanoseconds duration, Nanoseconds cost) {
  const double besides = std::max(0.0, seconds(cost - duration));
  own_s_[load] = besides;
  Mean& kind = kind_s_[loads_[load].kind];
  kind.sum_s += besides;
  ++kind.count;
}

}  // namespace spillway
