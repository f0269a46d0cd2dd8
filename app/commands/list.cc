#include <fmt/core.h>

#include "app/cli/cli.h"
#include "app/cli/printable.h"
#include "app/cli/text_table.h"
#include "app/commands/families.h"
#include "app/report/figure_table.h"
#include "app/report/report.h"
#include "core/json.h"

namespace spillway {
namespace {

Json describe(const FamilyMember& member) {
  Json options = Json::array();
  for (const OptionInfo& option : member.options) {
    options.push_back({{"name", option.name}, {"default", option.default_value}, {"help", option.help}});
  }
  return {{"name", member.name}, {"summary", member.summary}, {"options", options}};
}

Json everything() {
  Json all;
  for (const std::string& family : family_names()) {
    all[family] = Json::array();
    for (const FamilyMember& member : family_members(family)) {
      all[family].push_back(describe(member));
    }
  }
  all["figures"] = to_json(figure_table());  // with the place of each in a result, key by key
  return all;
}

// Prints the members of a family, each with its options below it.
void print_family(const std::string& family) {
  TextTable table({{.least = 11}, {.wraps = true}});
  for (const FamilyMember& member : family_members(family)) {
    table.row({printable(member.name), printable(member.summary)});
    for (const OptionInfo& option : member.options) {
      table.row({fmt::format("  {}={}", option.name, option.default_value), option.help});
    }
  }
  fmt::print("{}\n{}\n", family, table.text());
}

Result<void> run_list(const std::string& family, const std::string& json) {
  if (Result<void> writable = check_json_path(json); !writable) {
    return writable;
  }
  if (!json.empty()) {
    Json all = everything();
    if (!family.empty()) {
      all = Json{{family, all.at(family)}};
    }
    all["schema"] = "spillway.list/1";
    return write_json(all, json);
  }
  for (const std::string& name : family.empty() ? family_names() : std::vector<std::string>{family}) {
    print_family(name);
  }
  return {};
}

}  // namespace

void add_list_command(Command app, Invocation& invocation) {
  auto family = std::make_shared<std::string>();
  auto json = std::make_shared<std::string>();
  Command command =
      app.subcommand("list",
                     "List backends, policies, prefetchers, device models, importers, architectures, "
                     "presets and figures, with their options");
  command.footer(
      "Examples:\n"
      "  spillway list backends\n"
      "  spillway list models --json -\n\n"
      "An option follows a colon: --backend uring:depth=64. The type of a model's experts does so too:\n"
      "--model olmoe-1b-7b:Q4_K");
  command.text("family", *family, "List only this family").one_of(family_names());
  command.output("--json", *json, "Write the list as JSON to this file; - writes it to stdout")
      .type_name("FILE");
  command.runs(invocation, [family, json] { return run_list(*family, *json); });
}

}  // namespace spillway
