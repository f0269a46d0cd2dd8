#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sim/plan/plan.h"

// What to change: questions asked again with another memory, another drive.
namespace spillway::plan {

Question with_memory(Question question, uint64_t bytes);
Question with_drive(Question question, Drive drive);
Question with_bandwidth(Question question, double bytes_per_s);  // one drive that fast, the same latency

// tok/s as most likely; 0 where it does not run.
double speed_of(const Question& question);

// tok/s at every memory and every bandwidth, those of one memory behind each other.
std::vector<double> sweep(const Question& question, std::span<const uint64_t> memories,
                          std::span<const double> bandwidths);

// Beyond this memory more of it brings less than `gain` (0.05: a twentieth) all told; bytes, to the next
// GiB, which is the GB that memory is sold by.
uint64_t memory_enough(const Question& question, double gain);

// Beyond this bandwidth of one drive a faster one brings less than `gain` all told; bytes/s. 0 where no drive
// matters; nothing where it does not run whatever the drive.
std::optional<double> bandwidth_enough(const Question& question, double gain);

struct Offer {
  uint64_t memory = 0;
  Drive drive;
  double price = 0;  // of memory and drives
  Plan plan;
};

// Every memory with every drive, the cheapest first and of equal prices the fastest. Memory is sold by the
// GiB.
std::vector<Offer> offers(const Question& question, std::span<const uint64_t> memories,
                          std::span<const Drive> drives, double price_per_gb);

// The first of `ascending` whose speed reaches `target` as most likely, or even at the interval's low end.
const Offer* cheapest(std::span<const Offer> ascending, double target, bool surely);

}  // namespace spillway::plan
