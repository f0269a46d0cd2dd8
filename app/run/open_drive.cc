#include "app/run/open_drive.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "app/presets/plan_presets.h"
#include "app/presets/presets.h"
#include "app/run/device_profile.h"
#include "core/expects.h"
#include "sim/calibration.h"
#include "sim/devices/page_cache.h"
#include "sim/devices/stripe.h"

namespace spillway {
namespace {

constexpr uint32_t kMostDrives = 64;

// Returns the data sheet of the preset `text`, a name or a path, as a device model. Returns an empty text if
// no preset has that name and no file of that path is a preset of a drive.
Result<std::string> preset_spec(const std::string& text) {
  const bool is_file = is_preset_path(text) && schema_of_file(text) == kDriveSchema;
  if (!is_file && presets_with_part("drives", text, {}).empty()) {
    return "";
  }
  Result<plan::Drive> drive = load_drive(text);
  if (!drive) {
    return propagate(drive);
  }
  return fmt::format("linear:bandwidth={}B/s,latency={}ns", uint64_t(drive->bandwidth),
                     from_seconds(drive->latency_s).count());
}

// True if `text` names an existing file or looks like a path. A missing file is then reported as one that
// cannot be opened, and not as an unknown device.
bool is_profile(std::string_view text) {
  const std::string_view path = text.substr(text.find('@') + 1);
  std::error_code none;
  return path.ends_with(".json") || path.starts_with('/') || path.starts_with("./") ||
         path.starts_with("../") || std::filesystem::is_regular_file(path, none);
}

// Removes the count of `4xREST` from `text` and returns it. Returns 1 if there is none.
Result<uint32_t> take_drives(std::string_view& text) {
  uint32_t drives = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), drives);
  if (problem == std::errc::invalid_argument || end == text.data() + text.size() || *end != 'x') {
    return 1;
  }
  if (problem != std::errc{} || drives == 0 || drives > kMostDrives) {
    return wrong_usage("--device {}: 1 to {} drives can be striped", text, kMostDrives);
  }
  text.remove_prefix(size_t(end + 1 - text.data()));
  return drives;
}

// Returns the method named `wanted`, else the first method of the backend `wanted`.
Result<AccessMethod> choose_method(const DeviceProfile& profile, const std::string& path,
                                   const std::string& wanted) {
  std::string known;
  for (const AccessMethod& method : profile.methods) {
    if (wanted.empty() || method.name == wanted) {
      return method;
    }
    known += known.empty() ? method.name : ", " + method.name;
  }
  for (const AccessMethod& method : profile.methods) {
    if (method.backend.substr(0, method.backend.find(':')) == wanted) {
      return method;
    }
  }
  return wrong_usage("--method {}: {} has no such access method; it has: {}", wanted, path,
                     known.empty() ? "none" : known);
}

Result<DeviceChoice> fitted_model(const DeviceProfile& profile, const std::string& path,
                                  std::string_view model) {
  for (const FittedModel& fit : profile.fits) {
    if (fit.model == model) {
      return device_models().choose(fit.spec);
    }
  }
  return wrong_usage("--device {}@{}: the profile has no fit of this model", model, path);
}

// Returns the method by which reads from the page cache were measured: `pread warm` for `pread cold`.
Result<AccessMethod> warm_method(const DeviceProfile& profile, const std::string& path,
                                 const std::string& cold) {
  const std::string stem = cold.substr(0, cold.find(' '));
  if (!cold.ends_with(" cold")) {
    return wrong_usage(
        "--page-cache: needs a method that starts with a cold page cache, not {}; "
        "choose --method 'pread cold'",
        cold);
  }
  for (const AccessMethod& method : profile.methods) {
    if (method.name == stem + " warm") {
      return method;
    }
  }
  return wrong_usage(
      "--page-cache: {} has no method '{} warm' beside '{}'; choose --method 'pread cold' or calibrate again",
      path, stem, cold);
}

// Number of reads after which a limit with burst credit has used it up, unless the credit is huge.
constexpr uint64_t kSavingsGone = 20'000;

// Makes the model once and drops it, to report early that it cannot be made.
Result<void> check_model(const DeviceChoice& model, const AccessMethod* measured) {
  Result<std::unique_ptr<DeviceModel>> made = model.make({.measured = measured});
  return made ? Result<void>() : propagate(made);
}

std::unique_ptr<DeviceModel> make_checked(const DeviceChoice& model, const DeviceEnv& env) {
  Result<std::unique_ptr<DeviceModel>> made = model.make(env);
  Expects(made.has_value());  // open_drive() has made one
  return std::move(*made);
}

// Returns the model that `text` asks for: `MODEL@PROFILE`, or a profile alone.
Result<DeviceChoice> model_of(const DriveChoice& choice, std::string_view text, const DeviceProfile& profile,
                              const std::string& path, const std::string& method) {
  const size_t at = text.find('@');
  const std::string_view model = text.substr(0, at == std::string_view::npos ? 0 : at);
  if (model.empty()) {
    return device_models().known("table");
  }
  Result<DeviceChoice> named = device_models().choose(model);
  if (!named || named->traits.needs_profile) {
    return named;
  }
  if (method != profile.methods.front().name) {
    return wrong_usage(
        "--method {}: models were fitted to {} only; give --device {} to replay the measurements",
        choice.method, profile.methods.front().name, path);
  }
  return fitted_model(profile, path, model);
}

// Fills in `drive` from a profile that calibrate wrote.
Result<void> take_profile(const DriveChoice& choice, std::string_view text, OpenDrive& drive) {
  const size_t at = text.find('@');
  const std::string path(text.substr(at == std::string_view::npos ? 0 : at + 1));
  Result<DeviceProfile> profile = load_device_profile(path);
  if (!profile) {
    return propagate(profile);
  }
  Result<AccessMethod> method = choose_method(*profile, path, choice.method);
  if (!method) {
    return propagate(method);
  }
  drive.measured = std::make_unique<const AccessMethod>(std::move(*method));
  if (drive.page_cache > 0) {
    Result<AccessMethod> warm = warm_method(*profile, path, drive.measured->name);
    if (!warm) {
      return propagate(warm);
    }
    drive.warm_measured = std::make_unique<const AccessMethod>(std::move(*warm));
    drive.warm = device_models().known("table");
  }
  Result<DeviceChoice> model = model_of(choice, text, *profile, path, drive.measured->name);
  if (!model) {
    return propagate(model);
  }
  drive.model = std::move(*model);
  return {};
}

// Describes the drive in words: model, stripe, method and page cache.
std::string describe(std::string_view text, const OpenDrive& drive) {
  std::string description = drive.model.resolved;
  if (drive.drives > 1) {
    description = fmt::format("{}x{}, chunks of {}", drive.drives, drive.model.resolved,
                              exact_bytes(Bytes{drive.stripe_chunk}));
  }
  if (drive.measured) {
    description +=
        fmt::format(", {} of {}{}", drive.measured->name, text.substr(text.find('@') + 1),
                    drive.measured->tells_all_at_once ? ", completions reported only when all are read" : "");
  }
  if (drive.page_cache > 0) {
    description +=
        fmt::format(", behind a page cache of {} ({}, read-ahead {})", exact_bytes(Bytes{drive.page_cache}),
                    drive.warm.resolved, exact_bytes(Bytes{drive.read_ahead}));
  }
  return description;
}

}  // namespace

void add_drive_options(Command command, DriveChoice& choice) {
  command
      .text("--method", choice.method,
            "The profile's access method, as in uring or 'pread cold' (default: its first)")
      .type_name("NAME");
  command.count("--depth", {.least = 1, .most = 4096}, choice.depth,
                "Requests that the simulated device has in flight at most (default: the profile's, else 32)");
  command
      .size("--stripe-chunk", choice.stripe_chunk,
            "Bytes on one drive of a stripe before the next drive follows")
      .show_default();
  command
      .size("--page-cache", choice.page_cache,
            "Memory of a page cache in front of the simulated drive, for methods that go through it")
      .show_default();
  command
      .size("--read-ahead", choice.read_ahead, "Bytes that the simulated page cache reads beyond each miss")
      .show_default();
}

Result<OpenDrive> open_drive(const DriveChoice& choice) {
  constexpr uint32_t kUsualDepth = 32;  // where neither the user nor a measurement says
  constexpr uint64_t kMostReadAhead = 64 * kMiB;
  if (choice.read_ahead.count > kMostReadAhead ||
      (choice.read_ahead.count > 0 && choice.page_cache.count == 0)) {
    return wrong_usage("--read-ahead {}: must be at most {} and needs --page-cache",
                       exact_bytes(choice.read_ahead), exact_bytes(Bytes{kMostReadAhead}));
  }
  if (choice.stripe_chunk.count < 4096) {
    return wrong_usage("--stripe-chunk {}: must be at least 4KiB", exact_bytes(choice.stripe_chunk));
  }
  OpenDrive drive;
  std::string_view text = choice.device;
  Result<uint32_t> drives = take_drives(text);
  if (!drives) {
    return propagate(drives);
  }
  drive.drives = *drives;
  drive.seed = choice.seed;
  drive.stripe_chunk = choice.stripe_chunk.count;
  drive.page_cache = choice.page_cache.count;
  drive.read_ahead = choice.read_ahead.count;
  drive.warm = choice.warm;
  const Result<std::string> preset = preset_spec(std::string(text));
  if (!preset) {
    return Unexpected(preset.error());
  }
  if (preset->empty() && is_profile(text)) {  // a preset goes before a file of the same name
    if (Result<void> taken = take_profile(choice, text, drive); !taken) {
      return propagate(taken);
    }
  } else if (!choice.method.empty()) {
    return wrong_usage("--method {}: only a profile that calibrate wrote has methods; --device is {}",
                       choice.method, choice.device);
  } else {
    Result<DeviceChoice> model = device_models().choose(preset->empty() ? text : *preset);
    if (!model) {
      return propagate(model);
    }
    drive.model = std::move(*model);
  }
  // A stripe has the limits of one of its drives. If those report completions only when idle, so does the
  // stripe: an expert is there once the last drive has reported.
  drive.limits = {.depth = choice.depth.value_or(drive.measured ? drive.measured->depth : kUsualDepth),
                  .alignment = drive.measured ? drive.measured->alignment : 1,
                  .tells_all_at_once = drive.measured && drive.measured->tells_all_at_once};
  if (Result<void> good = check_model(drive.model, drive.measured.get()); !good) {
    return propagate(good);
  }
  if (drive.page_cache > 0) {
    if (Result<void> good = check_model(drive.warm, drive.warm_measured.get()); !good) {
      return propagate(good);
    }
  }
  drive.resolved = describe(text, drive);
  return drive;
}

std::unique_ptr<DeviceModel> OpenDrive::make_drives(bool usual) const {
  std::vector<std::unique_ptr<DeviceModel>> models;
  for (uint32_t i = 0; i < drives; ++i) {
    models.push_back(make_checked(model, {seed + i, measured.get(), usual}));
  }
  if (drives == 1) {
    return std::move(models.front());
  }
  return std::make_unique<StripeDevice>(std::move(models), stripe_chunk);
}

std::unique_ptr<DeviceModel> OpenDrive::make_usual() const {
  return make_drives(true);
}

double OpenDrive::best_bytes_per_s() const {
  constexpr uint64_t kBlock = 4 * kMiB;
  constexpr uint32_t kDepth = 32;
  return steady_bandwidth(*make_usual(), kBlock, kDepth, kSavingsGone);
}

double OpenDrive::sustained_bytes_per_s(uint64_t block) const {
  return steady_bandwidth(*make_usual(), block, limits.depth, kSavingsGone);
}

std::unique_ptr<DeviceModel> OpenDrive::make() const {
  if (page_cache == 0) {
    return make_drives(false);
  }
  return std::make_unique<PageCacheDevice>(
      make_drives(false), make_checked(warm, {seed, warm_measured.get()}),
      PageCacheDevice::Options{.capacity = page_cache, .read_ahead = read_ahead});
}

}  // namespace spillway
