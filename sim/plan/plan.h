#pragma once

#include <cstdint>
#include <optional>

#include "sim/plan/token_time.h"

namespace spillway::plan {

// What is to run where.
struct Question {
  ModelBytes model;
  Machine machine;
  Drive drive;
  Runtime resident;   // how it runs when everything is in memory
  Runtime streaming;  // how when experts are not
  LocalityProfile locality;
  uint64_t context = 0;  // tokens of one sequence
  uint32_t top_k = 0;    // experts a layer that are used
  std::optional<RecordedCompute> recorded;
};

// Who has the memory; bytes.
struct MemoryPlan {
  uint64_t total = 0;
  uint64_t system = 0;    // the system and other programs
  uint64_t resident = 0;  // weights that every token reads, and the embedding
  uint64_t context = 0;   // keys, values, recurrent state
  uint64_t work = 0;      // activations, buffers that reads go through
  uint64_t cache = 0;     // what is left for experts, at most all of them
  uint64_t bank = 0;      // all experts
  uint64_t step = 0;      // what one layer of one token uses: the least that must fit beside the rest

  uint64_t needed() const { return system + resident + context + work + step; }
  bool fits() const { return total >= needed(); }
  bool holds_all_experts() const { return fits() && cache == bank; }
  uint64_t peak() const { return resident + context + work + cache; }  // of the process
  double cached_share() const { return bank == 0 ? 1 : double(cache) / double(bank); }
};

MemoryPlan plan_memory(const Question& question);

struct Plan {
  MemoryPlan memory;
  bool streams = false;
  Runtime runtime;  // of the two
  // Nothing where the model does not fit.
  std::optional<Forecast> speed;
  // Every expert of every token read at the drives' sequential bandwidth: what "SSD-theoretical" means in the
  // field; tok/s.
  double seed_ceiling = 0;
};

Plan make_plan(const Question& question);

}  // namespace spillway::plan
