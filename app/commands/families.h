#pragma once

#include <string>
#include <vector>

#include "core/options.h"

namespace spillway {

// A plug-in, a preset or a figure. Presets and figures have no options.
struct FamilyMember {
  std::string name;
  std::string summary;
  std::vector<OptionInfo> options;
};

// Returns all families whose members an option or an experiment can name.
std::vector<std::string> family_names();

// Returns the members of `family`, which is one of family_names().
std::vector<FamilyMember> family_members(const std::string& family);

}  // namespace spillway
