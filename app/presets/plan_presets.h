#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sim/plan/hardware.h"
#include "sim/plan/locality.h"
#include "sim/plan/model_shape.h"

// What the planner knows by name: JSON under presets/, each with where its figures come from.
namespace spillway {

struct ModelShapePreset {
  plan::ModelShape shape;
  std::string architecture;       // general.architecture of its GGUF files; may be empty
  std::string locality;           // the profile to use, itself a preset
  uint64_t total_parameters = 0;  // as published, rounded as there
  uint64_t active_parameters = 0;
};

struct MachinePreset {
  plan::Machine machine;  // with the least memory it can be had with
  std::string resident_runtime;
  std::string streaming_runtime;
  double memory_price_per_gb = 0;  // US dollars
};

// `directory`: searched before the usual places (presets.h); may be empty. The errors name the preset and
// the key.
Result<ModelShapePreset> load_model_shape(const std::string& name, const std::string& directory = {});
Result<MachinePreset> load_machine(const std::string& name, const std::string& directory = {});
Result<plan::Drive> load_drive(const std::string& name, const std::string& directory = {});
Result<plan::Runtime> load_runtime(const std::string& name, const std::string& directory = {});
Result<plan::LocalityProfile> load_locality(const std::string& name, const std::string& directory = {});

// Returns n where every n-th layer of an architecture attends to the whole context and the other layers have
// a window, by the preset of a model of that architecture. Returns 1 where no such preset is known.
uint32_t full_attention_every(std::string_view architecture, const std::string& directory = {});

// What a preset of `kind` says of itself in a line.
std::string describe_preset(const std::string& kind, const std::string& name,
                            const std::string& directory = {});

// Memory is sold in powers of two under decimal names: `36GB` is 36 GiB here.
Result<uint64_t> parse_memory(const std::string& text);

}  // namespace spillway
