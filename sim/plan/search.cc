#include "sim/plan/search.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "core/expects.h"
#include "core/units.h"

namespace spillway::plan {
namespace {

// The bandwidth of a drive that is never the limit.
constexpr double kNoLimit = 1e15;

}  // namespace

Question with_memory(Question question, uint64_t bytes) {
  question.machine.memory = bytes;
  return question;
}

Question with_drive(Question question, Drive drive) {
  question.drive = std::move(drive);
  return question;
}

Question with_bandwidth(Question question, double bytes_per_s) {
  question.drive.bandwidth = bytes_per_s;
  question.drive.count = 1;
  return question;
}

double speed_of(const Question& question) {
  const Plan plan = make_plan(question);
  return plan.speed ? plan.speed->central : 0;
}

std::vector<double> sweep(const Question& question, std::span<const uint64_t> memories,
                          std::span<const double> bandwidths) {
  std::vector<double> speeds;
  for (const uint64_t memory : memories) {
    for (const double bandwidth : bandwidths) {
      speeds.push_back(speed_of(with_bandwidth(with_memory(question, memory), bandwidth)));
    }
  }
  return speeds;
}

uint64_t memory_enough(const Question& question, double gain) {
  Expects(gain > 0 && gain < 1);
  const MemoryPlan now = plan_memory(question);
  const uint64_t everything = now.needed() - now.step + now.bank;
  uint64_t high = everything / kGiB + 1;
  uint64_t low = 0;
  const double wanted = speed_of(with_memory(question, high * kGiB)) / (1 + gain);
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    (speed_of(with_memory(question, middle * kGiB)) >= wanted ? high : low) = middle;
  }
  return high * kGiB;
}

std::optional<double> bandwidth_enough(const Question& question, double gain) {
  Expects(gain > 0 && gain < 1);
  const Plan unlimited = make_plan(with_bandwidth(question, kNoLimit));
  if (!unlimited.speed) {
    return std::nullopt;
  }
  if (!unlimited.streams) {
    return 0;
  }
  const double wanted = unlimited.speed->central / (1 + gain);
  double high = kNoLimit;
  double low = 1;
  while (high / low > 1.01) {
    const double middle = std::sqrt(low * high);
    (speed_of(with_bandwidth(question, middle)) >= wanted ? high : low) = middle;
  }
  return high;
}

std::vector<Offer> offers(const Question& question, std::span<const uint64_t> memories,
                          std::span<const Drive> drives, double price_per_gb) {
  std::vector<Offer> list;
  for (const uint64_t memory : memories) {
    for (const Drive& drive : drives) {
      const double price = double(memory) / double(kGiB) * price_per_gb + drive.price * drive.count;
      list.push_back({memory, drive, price, make_plan(with_drive(with_memory(question, memory), drive))});
    }
  }
  const auto order = [](const Offer& offer) {
    return std::make_tuple(offer.price, offer.plan.speed ? -offer.plan.speed->central : 0);
  };
  std::stable_sort(list.begin(), list.end(),
                   [&](const Offer& a, const Offer& b) { return order(a) < order(b); });
  return list;
}

const Offer* cheapest(std::span<const Offer> ascending, double target, bool surely) {
  const auto reaches = [&](const Offer& offer) {
    return offer.plan.speed && (surely ? offer.plan.speed->low : offer.plan.speed->central) >= target;
  };
  const auto found = std::find_if(ascending.begin(), ascending.end(), reaches);
  return found == ascending.end() ? nullptr : &*found;
}

}  // namespace spillway::plan
