#pragma once

#include <string>
#include <vector>

#include "core/geometry.h"
#include "core/result.h"

// The models (and whatever else ships as JSON under presets/) that can be named instead of described.
namespace spillway {

struct ModelPreset {
  std::string name;
  std::string type;  // of the expert tensors: Q4_K, or a mix such as Q4_K_M
  ModelGeometry geometry;
};

// Where presets are looked for, in order: `directory` if not empty (--presets), $SPILLWAY_PRESETS, and those
// that are installed with the program.
std::vector<std::string> preset_directories(const std::string& directory);

// Contents of the first `kind`/`name`.json on that path. The error lists the names there are.
Result<std::string> read_preset(const std::string& kind, const std::string& name,
                                const std::string& directory);

// The names of `kind`, sorted.
std::vector<std::string> list_presets(const std::string& kind, const std::string& directory);

// `16 layers × 64 experts, top-8; types: Q8_0, Q4_K, …`, the preset's own mixes first.
Result<std::string> describe_model_preset(const std::string& name, const std::string& directory = {});

// `text` is NAME or NAME:TYPE, where TYPE is a mix that the preset has sizes for or the one GGUF type of all
// three tensors, whose size follows from the shape.
Result<ModelPreset> load_model_preset(const std::string& text, const std::string& directory = {});

}  // namespace spillway
