#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sim/plan/plan.h"

// Questions asked again with another memory or another drive.
namespace spillway::plan {

Question with_memory(Question question, uint64_t bytes);
Question with_drive(Question question, Drive drive);
Question with_bandwidth(Question question, double bytes_per_s);  // one drive of this speed, same latency

// Returns the most likely tok/s; 0 where the model does not run.
double speed_of(const Question& question);

// Returns tok/s at every memory and every bandwidth; the values of one memory are adjacent.
std::vector<double> sweep(const Question& question, std::span<const uint64_t> memories,
                          std::span<const double> bandwidths);

// Returns the memory beyond which more memory brings less than `gain` in total (0.05: a twentieth). The
// result is in bytes, rounded up to a GiB, the unit that memory is sold by.
uint64_t memory_enough(const Question& question, double gain);

// Returns the bandwidth of one drive, in bytes/s, beyond which a faster drive brings less than `gain` in
// total. 0 if drives do not matter; nothing if the model does not run with any drive.
std::optional<double> bandwidth_enough(const Question& question, double gain);

struct Offer {
  uint64_t memory = 0;
  Drive drive;
  double price = 0;  // of memory and drives
  Plan plan;
};

// Returns every memory with every drive, the cheapest first, of equal prices the fastest first. Memory is
// sold by the GiB.
std::vector<Offer> offers(const Question& question, std::span<const uint64_t> memories,
                          std::span<const Drive> drives, double price_per_gb);

// Returns the first of `ascending` whose most likely speed reaches `target`; with `surely`, whose interval's
// low end does. Returns nullptr if there is none.
const Offer* cheapest(std::span<const Offer> ascending, double target, bool surely);

}  // namespace spillway::plan
