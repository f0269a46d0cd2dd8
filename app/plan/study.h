#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/presets/plan_presets.h"
#include "core/result.h"
#include "policies/list.h"
#include "sim/plan/search.h"

// `spillway plan`: a question put together from presets and files, its answer, and what changing one thing at
// a time would make of it.
namespace spillway {

struct PlanRequest {
  std::string model;   // a preset
  std::string gguf;    // or a file
  std::string bits;    // as plan::parse_bits takes them; of a preset only
  std::string device;  // a machine, or a drive
  std::string drive;   // a preset, a rate, or a JSON file of a drive
  std::string ram;     // as parse_memory takes it; empty: the least the machine is sold with that fits
  uint32_t drives = 1;
  uint64_t context = 4096;
  std::optional<uint32_t> experts_per_token;
  std::string runtime;
  std::string locality;  // a preset
  std::string trace;     // or a file
  EvictionChoice policy = eviction_policies().known("lfu");
  bool recorded_compute = false;
  double target = 0;  // tok/s; 0: none
  std::optional<double> ram_price;
};

// One thing changed.
struct PlanVariant {
  std::string what;
  plan::Plan plan;
};

// What reaches the target on one machine.
struct PlanPurchase {
  std::string machine;
  bool drive_is_sold = false;         // else it comes with the machine, as does the memory
  std::optional<plan::Offer> likely;  // the cheapest whose most likely speed does
  std::optional<plan::Offer> surely;  // whose interval's low end does
  std::optional<plan::Offer> fastest;
};

struct PlanStudy {
  PlanRequest request;
  plan::Question question;
  std::string bits;  // described
  std::string locality_source;
  plan::Plan plan;
  bool other_runtime =
      false;  // than was asked for, which is not for models that fit in memory, or only for these

  std::vector<PlanVariant> contexts;
  std::vector<PlanVariant> drive_counts;
  std::vector<PlanVariant> top_ks;
  std::vector<PlanVariant> bit_widths;  // of a preset only
  std::vector<PlanVariant> paths;       // ways to read, of the same processor

  // sweep()'s order
  std::vector<uint64_t> memories;
  std::vector<double> bandwidths;
  std::vector<double> speeds;
  uint64_t memory_enough = 0;
  std::optional<double> bandwidth_enough;

  std::vector<PlanPurchase> purchases;  // of the machine asked about, then of others; without a target empty
};

// The share of speed that "enough" forgoes.
inline constexpr double kEnoughGain = 0.05;

Result<PlanStudy> make_study(const PlanRequest& request);

}  // namespace spillway
