#include "app/stores/new_store.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/cli/question.h"
#include "app/cli/shell_line.h"
#include "core/units.h"
#include "host/interrupt.h"
#include "host/linux/device_bytes.h"
#include "stores/stand_in.h"

namespace spillway {
namespace {

namespace fs = std::filesystem;

// A trial of this size measures the drive and not the start of the writing; a small store gets a smaller one,
// so that the trial never takes longer than a fraction of the writing.
constexpr uint64_t kMostTrial = 16 * kMiB;
constexpr uint64_t kLeastTrial = 1 * kMiB;
constexpr uint64_t kTrialShare = 16;

std::string time_text(double seconds) {
  if (seconds < 90) {
    return fmt::format("{:.0f} s", std::max(1.0, std::ceil(seconds)));
  }
  return seconds < 5400 ? fmt::format("{:.0f} min", seconds / 60) : fmt::format("{:.1f} h", seconds / 3600);
}

// Returns ` (ext4 on vda)`, or an empty text if the kernel does not say.
std::string drive_text(const std::string& directory) {
  fs::path nearest = directory;
  std::error_code ignored;
  while (!fs::exists(nearest, ignored) && nearest != nearest.parent_path()) {
    nearest = nearest.parent_path();
  }
  const Result<DeviceInfo> device = device_below(nearest.empty() ? "." : nearest.string());
  if (!device || device->file_system.empty()) {
    return "";
  }
  const std::string model = device->model.empty() ? "" : fmt::format(", {}", device->model);
  return device->name.empty() ? fmt::format(" ({})", device->file_system)
                              : fmt::format(" ({} on {}{})", device->file_system, device->name, model);
}

}  // namespace

std::string removal_of(const std::vector<std::string>& paths, bool in_cache_folder) {
  std::vector<std::string> words = in_cache_folder ? std::vector<std::string>{"spillway", "cache", "clean"}
                                                   : std::vector<std::string>{"rm"};
  for (const std::string& path : paths) {
    words.push_back(in_cache_folder ? fs::path(path).stem().string() : path);
  }
  return "to remove it: " + shell_line(words);
}

std::string describe(const NewStore& store) {
  const std::string directory = fs::absolute(store.paths.front()).parent_path();
  const std::string others =
      store.paths.size() == 1
          ? ""
          : fmt::format(" and {} more file{}", store.paths.size() - 1, store.paths.size() == 2 ? "" : "s");
  const std::optional<double> rate =
      trial_write_rate(directory, std::clamp(store.bytes / kTrialShare, kLeastTrial, kMostTrial));
  const std::string time =
      rate ? fmt::format(", in about {} if the drive keeps up the {}/s of a trial write",
                         time_text(double(store.bytes) / *rate), format_bytes(uint64_t(*rate)))
           : std::string(", in a time that no trial write could tell");
  return fmt::format("{}{}: {}{}{}{}; {}", kNewStoreLine, format_bytes(store.bytes), store.paths.front(),
                     others, drive_text(directory), time, store.removal);
}

BeforeMaking before_making(uint64_t bytes, const StoreConsent& consent, bool terminal) {
  if (bytes <= kMostUnasked || consent.place_named || consent.yes) {
    return BeforeMaking::tell;
  }
  return terminal ? BeforeMaking::ask : BeforeMaking::refuse;
}

void tell_new_store(const NewStore& store) {
  note("spillway: {}\n", printable(describe(store)));
}

Result<std::vector<std::string>> make_announced_store(const StoreRequest& request) {
  Result<MissingFiles> missing = missing_scratch_files(request.geometry, request.scratch);
  if (!missing) {
    return propagate(missing);
  }
  const NewStore store{
      missing->paths, missing->bytes(),
      request.removal.empty() ? removal_of(missing->paths, !request.consent.place_named) : request.removal};
  const BeforeMaking step = before_making(store.bytes, request.consent, can_ask());
  if (step == BeforeMaking::refuse) {
    return wrong_usage(
        "the run has not started, since it {}; allow it with `{} --yes`, or choose a place with --store DIR",
        describe(store), request.consent.command_line);
  }
  if (step == BeforeMaking::ask) {
    tell_new_store(store);
    if (!asks_for_yes("Make it?")) {
      return failed("no store was made; --store DIR chooses another place");
    }
  }
  bool told = step == BeforeMaking::ask;
  Progress progress(request.label, store.bytes, Progress::Unit::bytes);
  return make_scratch_store(request.geometry, request.scratch, [&](uint64_t done, uint64_t) {
    if (!told) {
      tell_new_store(store);
      told = true;
    }
    progress.at(done);
    return !interrupted();
  });
}

}  // namespace spillway
