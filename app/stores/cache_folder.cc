#include "app/stores/cache_folder.h"

#include <algorithm>
#include <filesystem>
#include <limits>

#include "app/cli/command.h"
#include "app/cli/printable.h"
#include "app/cli/text_table.h"
#include "core/json.h"
#include "core/text.h"
#include "core/units.h"
#include "stores/scratch_store.h"

namespace spillway {
namespace {

constexpr std::time_t kMinute = 60;
constexpr std::time_t kHour = 60 * kMinute;
constexpr std::time_t kDay = 24 * kHour;

std::string date_of(std::time_t time) {
  std::tm fields{};
  ::gmtime_r(&time, &fields);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &fields);
  return text;
}

// Returns `today`, `1 day ago` or `12 days ago`.
std::string age_of(std::time_t used) {
  const std::time_t days = std::max<std::time_t>(std::time(nullptr) - used, 0) / kDay;
  return days == 0 ? "today" : fmt::format("{} day{} ago", days, days == 1 ? "" : "s");
}

// Returns `4 x 64 experts of 1.2 MB`, with the number of ranges and the piece if there are several.
std::string shape_of_store(const PackedHeader& header) {
  std::string text = describe_shape(header.layers, header.experts_per_layer, header.expert_bytes);
  if (header.parts > 1) {
    text += fmt::format(", in {} ranges each", header.parts);
  }
  if (header.pieces > 1) {
    text += fmt::format(", piece {} of {}", header.piece + 1, header.pieces);
  }
  return text;
}

}  // namespace

uint64_t CacheFolder::bytes() const {
  uint64_t sum = 0;
  for (const ScratchFile& store : stores) {
    sum += store.bytes;
  }
  return sum;
}

Result<CacheFolder> open_cache_folder(const std::string& directory) {
  Result<std::string> place =
      directory.empty() ? default_cache_directory("--dir DIR") : Result<std::string>(directory);
  if (!place) {
    return propagate(place);
  }
  Result<std::vector<ScratchFile>> stores = list_scratch_files(*place);
  if (!stores) {
    return propagate(stores);
  }
  return CacheFolder{std::move(*place), std::move(*stores)};
}

std::string name_of(const ScratchFile& store) {
  const std::filesystem::path path = store.path;
  return path.extension() == ".store" ? path.stem().string() : path.filename().string();
}

Result<std::time_t> parse_age(const std::string& text) {
  const size_t unit_at = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string unit = text.substr(unit_at);
  const std::time_t each = unit == "min" ? kMinute
                           : unit == "h" ? kHour
                           : unit == "d" ? kDay
                           : unit == "w" ? 7 * kDay
                                         : 0;
  constexpr uint64_t kMostUnits = 100'000;
  const Result<uint64_t> count = parse_count(text.substr(0, unit_at), {.most = kMostUnits});
  if (each == 0 || !count) {
    return wrong_usage("'{}' is not an age; give a whole number with min, h, d or w, such as 12h or 7d",
                       text);
  }
  return std::time_t(*count) * each;
}

Result<std::vector<ScratchFile>> choose_stores(const CacheFolder& folder,
                                               const std::vector<std::string>& names, std::time_t before) {
  std::vector<ScratchFile> chosen;
  for (const std::string& name : names) {
    const bool known = std::any_of(folder.stores.begin(), folder.stores.end(), [&](const ScratchFile& store) {
      return name == name_of(store) || name == std::filesystem::path(store.path).filename();
    });
    if (!known) {
      return wrong_usage(
          "{}: there is no store of this name in {}; `spillway cache list` shows those there are", name,
          folder.directory);
    }
  }
  for (const ScratchFile& store : folder.stores) {
    const bool named =
        names.empty() || std::any_of(names.begin(), names.end(), [&](const std::string& name) {
          return name == name_of(store) || name == std::filesystem::path(store.path).filename();
        });
    if (named && store.last_used <= before) {
      chosen.push_back(store);
    }
  }
  return chosen;
}

std::string to_table(const CacheFolder& folder) {
  if (folder.stores.empty()) {
    return fmt::format("{}: no stores\n", printable(folder.directory));
  }
  TextTable table({{.gap = 0}, {.align = TextTable::Align::right}, {}, {.wraps = true}});
  table.row({"store", "size", "last used", "holds"});
  for (const ScratchFile& store : folder.stores) {
    table.row({printable(name_of(store)), format_bytes(store.bytes),
               store.in_use ? "in use now" : age_of(store.last_used), shape_of_store(store.header)});
  }
  return fmt::format("{}\n{}: {} in {} file{}\n", table.text(), printable(folder.directory),
                     format_bytes(folder.bytes()), folder.stores.size(),
                     folder.stores.size() == 1 ? "" : "s");
}

Json to_json(const CacheFolder& folder) {
  Json stores = Json::array();
  for (const ScratchFile& store : folder.stores) {
    stores.push_back({{"name", name_of(store)},
                      {"path", store.path},
                      {"bytes", store.bytes},
                      {"last_used", date_of(store.last_used)},
                      {"in_use", store.in_use},
                      {"layers", store.header.layers},
                      {"experts_per_layer", store.header.experts_per_layer},
                      {"expert_bytes", store.header.expert_bytes},
                      {"ranges_per_expert", store.header.parts},
                      {"piece", store.header.piece + 1},
                      {"pieces", store.header.pieces}});
  }
  return {{"schema", "spillway.cache/1"},
          {"directory", folder.directory},
          {"bytes", folder.bytes()},
          {"stores", std::move(stores)}};
}

}  // namespace spillway
