#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/geometry.h"
#include "core/json_fwd.h"
#include "core/result.h"

// Presets: models, and other things that the program ships as JSON under presets/, which a user can name
// instead of describing them.
namespace spillway {

struct ModelPreset {
  std::string name;
  std::string type;  // type of the expert tensors: Q4_K, or a mix such as Q4_K_M
  ModelGeometry geometry;
};

// Returns the directories in which presets are searched, in order: `directory` (--presets) if it is not
// empty, $SPILLWAY_PRESETS, and the presets that are installed with the program.
std::vector<std::string> preset_directories(const std::string& directory);

// True if `text` is the path of a user's own preset and not a name: it has a slash or ends in `.json`.
bool is_preset_path(std::string_view text);

// Returns the text of the key `schema` of the JSON file at `path`, such as `spillway.machine/1`. Returns an
// empty text if the file cannot be read or is no such file.
std::string schema_of_file(const std::string& path);

struct PresetFile {
  std::string path;
  std::string contents;
};

// Reads the preset at the path `name` (is_preset_path), or else the first `kind`/`name`.json in
// preset_directories(). A name may be cut short to its beginning, or to its end behind a hyphen, where that
// is one preset's alone. The error about a name says which was probably meant, or lists those there are.
Result<PresetFile> read_preset(const std::string& kind, const std::string& name,
                               const std::string& directory);

// Returns the preset `part`, or else those whose names begin with it or end with it behind a hyphen.
std::vector<std::string> presets_with_part(const std::string& kind, const std::string& part,
                                           const std::string& directory);

// Parses a preset and checks it against its schema, which must be `schema` unless that is empty. The error
// names the file.
Result<Json> parse_preset(const PresetFile& file, const std::string& schema = {});

// Returns the names of all presets of `kind`, sorted.
std::vector<std::string> list_presets(const std::string& kind, const std::string& directory);

// Describes a model: `16 layers × 64 experts, top-8; types: Q8_0, Q4_K, …`. The preset's own mixes
// come first.
Result<std::string> describe_model_preset(const std::string& name, const std::string& directory = {});

// Loads the model that `text` names, which is NAME or NAME:TYPE. TYPE is a mix for which the preset lists
// sizes, or the GGUF type of all three expert tensors, whose size then follows from the shape.
Result<ModelPreset> load_model_preset(const std::string& text, const std::string& directory = {});

}  // namespace spillway
