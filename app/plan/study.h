#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/presets/plan_presets.h"
#include "core/result.h"
#include "policies/list.h"
#include "sim/plan/search.h"

// `spillway plan`: a question made from presets and files, its answer, and the answers with one thing changed
// at a time.
namespace spillway {

struct PlanRequest {
  std::string model;   // name of a preset
  std::string gguf;    // or a model file
  std::string bits;    // in the syntax of plan::parse_bits; only with a preset
  std::string device;  // a machine or a drive
  std::string drive;   // a preset, a rate, or a JSON file of a drive
  std::string ram;     // for parse_memory; empty: the machine's smallest memory in which the model fits
  uint32_t drives = 1;
  uint64_t context = 4096;
  std::optional<uint32_t> experts_per_token;
  std::string runtime;
  std::string locality;  // name of a preset
  std::string trace;     // or a trace file
  EvictionChoice policy = eviction_policies().known("lfu");
  bool recorded_compute = false;
  double target = 0;  // tok/s; 0: no target
  std::optional<double> ram_price;
};

// The answer with one thing changed, which `what` describes.
struct PlanVariant {
  std::string what;
  plan::Plan plan;
};

// The offers that reach the target on one machine.
struct PlanPurchase {
  std::string machine;
  bool drive_is_sold = false;         // false: drive and memory come with the machine
  std::optional<plan::Offer> likely;  // the cheapest whose most likely speed reaches the target
  std::optional<plan::Offer> surely;  // the cheapest whose interval's low end reaches the target
  std::optional<plan::Offer> fastest;
};

struct PlanStudy {
  PlanRequest request;
  plan::Question question;
  std::string bits;  // a description
  std::string locality_source;
  plan::Plan plan;
  // The plan uses another runtime than the one asked for: that one is only for models that fit in memory, or
  // only for models that do not.
  bool other_runtime = false;

  std::vector<PlanVariant> contexts;
  std::vector<PlanVariant> drive_counts;
  std::vector<PlanVariant> top_ks;
  std::vector<PlanVariant> bit_widths;  // empty unless the model is a preset
  std::vector<PlanVariant> paths;       // runtimes of the same processor that read in other ways

  // The axes and the speeds of plan::sweep(), in its order.
  std::vector<uint64_t> memories;
  std::vector<double> bandwidths;
  std::vector<double> speeds;
  uint64_t memory_enough = 0;
  std::optional<double> bandwidth_enough;

  std::vector<PlanPurchase> purchases;  // the machine asked about comes first; empty without a target
};

// More memory or bandwidth than "enough" gains less than this share of speed.
inline constexpr double kEnoughGain = 0.05;

Result<PlanStudy> make_study(const PlanRequest& request);

}  // namespace spillway
