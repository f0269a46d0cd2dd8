#include "app/page/wording.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "app/report/report.h"
#include "core/text.h"

namespace spillway::page {
namespace {

// `queueing:channels=8,…` → `queueing`
std::string name_of(const std::string& spec) {
  return spec.substr(0, spec.find(':'));
}

}  // namespace

std::string tok_per_s_text(double value) {
  if (!(value > 0)) {
    return "0";
  }
  const int decimals = std::clamp(2 - int(std::floor(std::log10(value))), 0, 4);
  return fmt::format("{:.{}f}", value, decimals);
}

std::string percent_text(double share) {
  const double percent = std::abs(share) < 0.0005 ? 0 : 100 * share;  // never -0.0
  return fmt::format("{:.1f} %", percent);
}

std::string signed_ms(double seconds) {
  return fmt::format("{}{:.2f} ms", seconds < 0 ? "−" : "+", 1e3 * std::abs(seconds));
}

Cell number(std::string text) {
  return {std::move(text), true};
}

std::string memory_text(uint64_t bytes) {
  return fmt::format("{:.4g} GB", double(bytes) / double(kGiB));
}

void place_figure(Result<std::string> svg, std::string caption, Section& section) {
  if (svg) {
    section.figure = std::move(*svg);
    section.caption = std::move(caption);
  } else {
    section.no_figure = svg.error().message;
  }
}

std::string file_name(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

std::string setting_of(const RunResult& run) {
  const Result<Bytes> cache = parse_bytes(run.config_value("cache_bytes"));
  std::string text = !cache || cache->count == 0 ? "no cache" : format_bytes(cache->count);
  text += ", " + run.config_value("evict");
  if (!run.traits.prefetch.does_nothing) {
    text += ", " + name_of(run.config_value("prefetch"));
  }
  const std::string backend = run.config_value("backend");
  const std::string storage = name_of(backend.empty() ? run.config_value("device") : backend);
  return storage.empty() ? text : text + ", " + storage;
}

bool knows_the_future(const RunResult& run) {
  return run.traits.evict.knows_future || run.traits.prefetch.knows_future;
}

std::vector<std::string> cautions_of(const RunResult& run) {
  std::vector<std::string> cautions;
  if (run.interrupted) {
    cautions.push_back(
        fmt::format("Interrupted: only the {} tokens of decode that ran are shown.", run.tokens));
  }
  if (run.from_ram_share && *run.from_ram_share > kColdTolerance) {
    cautions.push_back(
        fmt::format("Not cold: {} of the bytes that were read came from RAM, not from the drive.",
                    percent_text(*run.from_ram_share)));
  } else if (run.from_ram_share && *run.from_ram_share < -kColdTolerance) {
    cautions.push_back(fmt::format("The device delivered {:.2f} times the requested bytes (read-ahead).",
                                   1 - *run.from_ram_share));
  }
  if (is_disturbed(run.stolen_share)) {
    cautions.push_back(fmt::format("Disturbed: the machine's host took {} of a core's time away.",
                                   percent_text(*run.stolen_share)));
  }
  cautions.insert(cautions.end(), run.warnings.begin(), run.warnings.end());
  return cautions;
}

std::vector<std::string> facts_of(const std::vector<const Origin*>& origins) {
  std::vector<std::string> facts;
  for (const Origin* origin : origins) {
    add_once(facts, origin->machine);
  }
  for (const Origin* origin : origins) {
    add_once(facts, origin->storage);
  }
  std::vector<std::string> versions;
  std::string first;
  std::string last;
  for (const Origin* origin : origins) {
    add_once(versions, origin->version);
    if (!origin->date.empty()) {
      first = first.empty() ? origin->date : std::min(first, origin->date);
      last = std::max(last, origin->date);
    }
  }
  for (const std::string& version : versions) {
    facts.push_back("Spillway " + version);
  }
  if (!first.empty()) {
    facts.push_back(first == last ? first : fmt::format("{} to {}", first, last));
  }
  return facts;
}

std::string source_of(const std::vector<const Origin*>& origins, bool simulated) {
  std::vector<std::string> parts;
  if (simulated) {
    parts.emplace_back("Simulated");
  } else {
    for (const Origin* origin : origins) {
      add_once(parts, origin->machine);
    }
    for (const Origin* origin : origins) {
      add_once(parts, origin->storage);
    }
  }
  std::vector<std::string> days;
  for (const Origin* origin : origins) {
    add_once(days, origin->date.substr(0, origin->date.find('T')));
  }
  std::sort(days.begin(), days.end());
  if (!days.empty()) {
    parts.push_back(days.size() == 1 ? days.front() : days.front() + " to " + days.back());
  }
  return join(parts, "; ");
}

std::vector<std::string> commands_of(const std::vector<const Origin*>& origins) {
  std::vector<std::string> commands;
  for (const Origin* origin : origins) {
    add_once(commands, origin->command);
  }
  return commands;
}

}  // namespace spillway::page
