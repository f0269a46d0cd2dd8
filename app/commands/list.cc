#include "backends/list.h"

#include <fmt/core.h>

#include "app/cli/cli.h"
#include "app/cli/printable.h"
#include "app/presets/plan_presets.h"
#include "app/presets/presets.h"
#include "app/report/report.h"
#include "core/json.h"
#include "policies/list.h"
#include "sim/list.h"

namespace spillway {
namespace {

template <class List>
Json describe_family(const List& list) {
  Json family = Json::array();
  for (const auto& entry : list) {
    Json options = Json::array();
    for (const OptionInfo& option : entry.options) {
      options.push_back({{"name", option.name}, {"default", option.default_value}, {"help", option.help}});
    }
    family.push_back({{"name", entry.name}, {"summary", entry.summary}, {"options", options}});
  }
  return family;
}

// A user's preset that cannot be read is listed with what is wrong with it, and hides none of the others.
Json describe_models() {
  Json models = Json::array();
  for (const std::string& name : list_presets("models", {})) {
    const Result<std::string> summary = describe_model_preset(name);
    models.push_back({{"name", name},
                      {"summary", summary ? *summary : "cannot be used: " + summary.error().message},
                      {"options", Json::array()}});
  }
  return models;
}

// Presets that have no options, by what they say of themselves.
Json describe_kind(const std::string& kind) {
  Json presets = Json::array();
  for (const std::string& name : list_presets(kind, {})) {
    presets.push_back({{"name", name}, {"summary", describe_preset(kind, name)}, {"options", Json::array()}});
  }
  return presets;
}

Json everything() {
  return {{"backends", describe_family(backends())},
          {"policies", describe_family(eviction_policies())},
          {"prefetchers", describe_family(prefetchers())},
          {"devices", describe_family(device_models())},
          {"models", describe_models()},
          {"machines", describe_kind("machines")},
          {"drives", describe_kind("drives")},
          {"runtimes", describe_kind("runtimes")},
          {"locality", describe_kind("locality")}};
}

Result<void> run_list(const std::string& family, const std::string& json) {
  if (Result<void> writable = check_json_path(json); !writable) {
    return writable;
  }
  Json all = everything();
  if (!family.empty()) {
    all = Json{{family, all.at(family)}};
  }
  if (!json.empty()) {
    all["schema"] = "spillway.list/1";
    return write_json(all, json);
  }
  for (const auto& [name, members] : all.items()) {
    fmt::print("{}\n", name);
    for (const Json& member : members) {
      fmt::print("  {:<12} {}\n", printable(member["name"].get<std::string>()),
                 printable(member["summary"].get<std::string>()));
      for (const Json& option : member["options"]) {
        const std::string setting =
            fmt::format("{}={}", option["name"].get<std::string>(), option["default"].get<std::string>());
        fmt::print("    {:<18} {}\n", setting, option["help"].get<std::string>());
      }
    }
    fmt::print("\n");
  }
  return {};
}

}  // namespace

void add_list_command(Command app, Invocation& invocation) {
  auto family = std::make_shared<std::string>();
  auto json = std::make_shared<std::string>();
  Command command = app.subcommand(
      "list", "Backends, policies, prefetchers, device models and presets, with their options");
  command.footer(
      "Examples:\n"
      "  spillway list backends\n"
      "  spillway list models --json -\n\n"
      "An option is given after a colon: --backend uring:depth=64; so is the type of a model's experts:\n"
      "--model olmoe-1b-7b:Q4_K");
  command.text("family", *family, "Only this family")
      .one_of({"backends", "policies", "prefetchers", "devices", "models", "machines", "drives", "runtimes",
               "locality"});
  command.text("--json", *json, "Write the list as JSON to this file; - is stdout");
  command.runs(invocation, [family, json] { return run_list(*family, *json); });
}

}  // namespace spillway
