#include "app/commands/families.h"

#include <functional>
#include <utility>

#include "app/presets/plan_presets.h"
#include "app/presets/presets.h"
#include "app/report/figure_table.h"
#include "core/expects.h"
#include "model/arch/list.h"
#include "policies/list.h"
#include "sim/list.h"
#include "traces/import/import.h"
#ifdef SPILLWAY_STORAGE
#include "backends/list.h"
#endif

namespace spillway {
namespace {

template <class List>
std::vector<FamilyMember> plugins(const List& list) {
  std::vector<FamilyMember> members;
  for (const auto& entry : list) {
    members.push_back({entry.name, entry.summary, {}});
    if constexpr (requires { entry.options; }) {
      members.back().options = entry.options;
    }
  }
  return members;
}

// Lists the models. A user's preset that cannot be read is listed with its error, and hides
// none of the others.
std::vector<FamilyMember> models() {
  std::vector<FamilyMember> members;
  for (const std::string& name : list_presets("models", {})) {
    const Result<std::string> summary = describe_model_preset(name);
    members.push_back({name, summary ? *summary : "not usable: " + summary.error().message, {}});
  }
  return members;
}

// Lists presets with their own descriptions.
std::vector<FamilyMember> presets(const std::string& kind) {
  std::vector<FamilyMember> members;
  for (const std::string& name : list_presets(kind, {})) {
    members.push_back({name, describe_preset(kind, name), {}});
  }
  return members;
}

// Lists figures with their labels and their places in results.
std::vector<FamilyMember> figures() {
  std::vector<FamilyMember> members;
  for (const FigureDefinition& figure : figure_table()) {
    members.push_back({std::string(figure.name), describe(figure), {}});
  }
  return members;
}

using NamedFamily = std::pair<std::string, std::function<std::vector<FamilyMember>()>>;

const std::vector<NamedFamily>& families() {
  static const std::vector<NamedFamily> list = {
#ifdef SPILLWAY_STORAGE
      {"backends", [] { return plugins(backends()); }},
#endif
      {"policies", [] { return plugins(eviction_policies()); }},
      {"prefetchers", [] { return plugins(prefetchers()); }},
      {"devices", [] { return plugins(device_models()); }},
      {"importers", [] { return plugins(importers()); }},
      {"architectures", [] { return plugins(architectures()); }},
      {"models", models},
      {"machines", [] { return presets("machines"); }},
      {"drives", [] { return presets("drives"); }},
      {"runtimes", [] { return presets("runtimes"); }},
      {"locality", [] { return presets("locality"); }},
      {"figures", figures}};
  return list;
}

}  // namespace

std::vector<std::string> family_names() {
  std::vector<std::string> names;
  for (const auto& [name, members] : families()) {
    names.push_back(name);
  }
  return names;
}

std::vector<FamilyMember> family_members(const std::string& family) {
  for (const auto& [name, members] : families()) {
    if (name == family) {
      return members();
    }
  }
  Expects(false);
  return {};
}

}  // namespace spillway
