#pragma once

#include <cstdint>
#include <optional>

#include "sim/plan/token_time.h"

namespace spillway::plan {

// A question to the planner: which model is to run on which machine.
struct Question {
  ModelBytes model;
  Machine machine;
  Drive drive;
  Runtime resident;   // the program if everything fits into memory
  Runtime streaming;  // the program if not all experts fit
  LocalityProfile locality;
  uint64_t context = 0;  // tokens of one sequence
  uint32_t top_k = 0;    // experts that a token uses in each layer
  std::optional<RecordedCompute> recorded;
};

// The use of the memory, in bytes.
struct MemoryPlan {
  uint64_t total = 0;
  uint64_t system = 0;    // the system and other programs
  uint64_t resident = 0;  // weights that every token reads, and the embedding
  uint64_t context = 0;   // keys, values, recurrent state
  uint64_t work = 0;      // activations, and buffers for reads
  uint64_t cache = 0;     // memory left for experts, at most the size of all of them
  uint64_t bank = 0;      // all experts
  uint64_t step = 0;      // experts of one layer of one token: the least that must fit beside the rest

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
  Runtime runtime;  // the question's `streaming` or `resident`
  // Nothing if the model does not fit.
  std::optional<Forecast> speed;
  // The speed in tok/s if every expert of every token were read at the drives' sequential bandwidth: what
  // "SSD-theoretical" means in the field.
  double seed_ceiling = 0;
};

Plan make_plan(const Question& question);

}  // namespace spillway::plan
