#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sim/plan/hardware.h"
#include "sim/plan/locality.h"
#include "sim/plan/model_shape.h"

// The planner's presets: JSON files under presets/, each of which cites the sources of its figures.
namespace spillway {

struct ModelShapePreset {
  plan::ModelShape shape;
  std::string architecture;       // general.architecture of its GGUF files; may be empty
  std::string locality;           // name of the preset of the locality profile to use
  uint64_t total_parameters = 0;  // the published, rounded figure
  uint64_t active_parameters = 0;
};

struct MachinePreset {
  plan::Machine machine;  // with the smallest of the memory sizes that are sold
  std::string resident_runtime;
  std::string streaming_runtime;
  double memory_price_per_gb = 0;  // US dollars
};

// What the key `schema` of a preset says.
inline constexpr const char* kMachineSchema = "spillway.machine/1";
inline constexpr const char* kDriveSchema = "spillway.drive/1";

// These functions load a preset by its name, or by the path of its file (is_preset_path). `directory`, which
// may be empty, is searched before the usual places (presets.h). An error names the preset and the key.
Result<ModelShapePreset> load_model_shape(const std::string& name, const std::string& directory = {});
Result<MachinePreset> load_machine(const std::string& name, const std::string& directory = {});
Result<plan::Drive> load_drive(const std::string& name, const std::string& directory = {});
Result<plan::Runtime> load_runtime(const std::string& name, const std::string& directory = {});
Result<plan::LocalityProfile> load_locality(const std::string& name, const std::string& directory = {});

// Returns n if every n-th layer of `architecture` attends to the whole context and the other layers have a
// window. The answer comes from the preset of a model of that architecture; without such a preset it is 1.
uint32_t full_attention_every(std::string_view architecture, const std::string& directory = {});

// Returns the line with which a preset of `kind` describes itself: its summary, or else its source.
std::string describe_preset(const std::string& kind, const std::string& name,
                            const std::string& directory = {});

// Parses an amount of memory. Memory is sold in powers of two under decimal names, so `36GB` is 36 GiB here.
Result<uint64_t> parse_memory(const std::string& text);

}  // namespace spillway
