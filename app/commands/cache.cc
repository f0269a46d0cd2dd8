#include <fmt/core.h>

#include <ctime>
#include <limits>

#include "app/cli/cli.h"
#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/cli/question.h"
#include "app/report/report.h"
#include "app/stores/cache_folder.h"
#include "core/json.h"
#include "core/units.h"

namespace spillway {
namespace {

struct KeptStoreOptions {
  std::string directory;
  std::string json;
  std::vector<std::string> names;
  std::optional<std::time_t> age;
  bool yes = false;
};

Result<void> run_cache_list(const KeptStoreOptions& options) {
  if (Result<void> writable = check_json_path(options.json); !writable) {
    return writable;
  }
  Result<CacheFolder> folder = open_cache_folder(options.directory);
  if (!folder) {
    return propagate(folder);
  }
  if (!options.json.empty()) {
    return write_json(to_json(*folder), options.json);
  }
  fmt::print("{}", to_table(*folder));
  return {};
}

// Asks before `chosen` is removed. Fails without consent.
Result<void> ask_to_remove(const KeptStoreOptions& options, const CacheFolder& chosen,
                           const std::string& command_line) {
  if (options.yes) {
    return {};
  }
  const std::string what =
      fmt::format("{} in {} file{} of {}", format_bytes(chosen.bytes()), chosen.stores.size(),
                  chosen.stores.size() == 1 ? "" : "s", printable(chosen.directory));
  if (!can_ask()) {
    return wrong_usage("would remove {}; allow it with `{} --yes`", what, command_line);
  }
  return asks_for_yes(fmt::format("Remove {}?", what)) ? Result<void>() : failed("nothing was removed");
}

Result<void> run_cache_clean(const KeptStoreOptions& options, const Invocation& invocation) {
  if (Result<void> writable = check_json_path(options.json); !writable) {
    return writable;
  }
  Result<CacheFolder> folder = open_cache_folder(options.directory);
  if (!folder) {
    return propagate(folder);
  }
  const std::time_t before =
      options.age ? std::time(nullptr) - *options.age : std::numeric_limits<std::time_t>::max();
  Result<std::vector<ScratchFile>> chosen = choose_stores(*folder, options.names, before);
  if (!chosen) {
    return propagate(chosen);
  }
  if (!chosen->empty()) {
    if (Result<void> agreed = ask_to_remove(options, {folder->directory, *chosen}, invocation.command_line);
        !agreed) {
      return agreed;
    }
  }
  CacheFolder removed{folder->directory, {}};
  CacheFolder kept{folder->directory, {}};
  for (const ScratchFile& store : *chosen) {
    Result<bool> gone = remove_scratch_file(store);
    if (!gone) {
      return propagate(gone);
    }
    (*gone ? removed : kept).stores.push_back(store);
  }
  for (const ScratchFile& store : kept.stores) {
    note("spillway: {}: kept, since a run is using it\n", printable(name_of(store)));
  }
  if (!options.json.empty()) {
    Json json = to_json(removed);
    json["kept"] = to_json(kept)["stores"];
    return write_json(json, options.json);
  }
  fmt::print("{}: removed {} in {} file{}\n", printable(folder->directory), format_bytes(removed.bytes()),
             removed.stores.size(), removed.stores.size() == 1 ? "" : "s");
  return {};
}

void add_cache_options(Command command, KeptStoreOptions& options) {
  command
      .text("--dir", options.directory,
            "Folder to look into (default: the cache folder, ~/.cache/spillway or $XDG_CACHE_HOME/spillway)")
      .type_name("DIR");
  command
      .output("--json", options.json,
              "Write the stores as JSON to this file; - writes them to stdout instead")
      .type_name("FILE");
}

void add_clean_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<KeptStoreOptions>();
  Command command = app.subcommand("clean", "Remove stores that runs made");
  command.footer(
      "Files that Spillway did not make, packed models and stores in use are never removed.\n"
      "Examples:\n"
      "  spillway cache clean                                  all stores, after a question\n"
      "  spillway cache clean --older 7d --yes                 those that no run used for a week\n"
      "  spillway cache clean --dir results/stores --yes       stores that a sweep kept");
  command.texts("names", options->names, "Remove only these stores, named as in `spillway cache list`")
      .type_name("NAME");
  const auto read = [options](const std::string& text) -> Result<void> {
    Result<std::time_t> age = parse_age(text);
    if (!age) {
      return propagate(age);
    }
    options->age = *age;
    return {};
  };
  command.parsed("--older", "", read, "Remove only stores that no run used for this long: 12h, 7d, 2w")
      .type_name("AGE");
  command.flag("--yes", options->yes, "Remove without a question");
  add_cache_options(command, *options);
  command.runs(invocation, [options, &invocation] { return run_cache_clean(*options, invocation); });
}

void add_list_of_cache(Command app, Invocation& invocation) {
  auto options = std::make_shared<KeptStoreOptions>();
  Command command = app.subcommand("list", "List the stores with their sizes, last uses and shapes");
  command.footer(
      "Examples:\n"
      "  spillway cache list\n"
      "  spillway cache list --json -");
  add_cache_options(command, *options);
  command.runs(invocation, [options] { return run_cache_list(*options); });
}

}  // namespace

void add_cache_commands(Command app, Invocation& invocation) {
  Command cache = app.subcommand("cache", "List or remove the stores that runs made and kept");
  add_list_of_cache(cache, invocation);
  add_clean_command(cache, invocation);
}

}  // namespace spillway
