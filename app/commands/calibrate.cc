#include "app/calibrate/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "app/calibrate/drive_verdict.h"
#include "app/calibrate/drive_watch.h"
#include "app/cli/cli.h"
#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/cli/text_table.h"
#include "app/report/report.h"
#include "app/run/device_profile.h"
#include "app/run/open_store.h"
#include "app/stores/new_store.h"
#include "backends/list.h"
#include "core/json.h"
#include "host/file.h"
#include "host/interrupt.h"
#include "host/sudden_end.h"
#include "stores/scratch_store.h"

namespace spillway {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kPageBytes = 4096;

struct CalibrateOptions {
  std::string target;
  std::string output;
  std::vector<std::string> methods;
  std::vector<std::string> blocks;
  std::vector<std::string> depths;
  Bytes size{4 * kGiB};
  std::string time = "60s";
  uint32_t rounds = 5;
  uint64_t seed = 1;
  bool keep = false;
};

// The files to read: the named file, or a file that is made in the named directory and removed afterwards.
struct Target {
  std::vector<std::string> files;
  bool remove = false;
  OnSuddenEnd on_sudden_end;

  ~Target() {
    for (size_t i = 0; remove && i < files.size(); ++i) {
      std::error_code ignored;
      fs::remove(files[i], ignored);
    }
  }
};

ModelGeometry shape_of(uint64_t bytes) {
  constexpr uint64_t kMostExperts = 4096;
  const uint64_t expert = round_up(std::max<uint64_t>(bytes / kMostExperts, 1), 4 * kMiB);
  ModelGeometry geometry;
  geometry.layers = 1;
  geometry.experts_per_layer = uint32_t(std::max<uint64_t>(bytes / expert, 2));
  geometry.top_k = geometry.used_top_k = 1;
  geometry.expert_bytes = {expert};
  return geometry;
}

Result<void> find_target(const CalibrateOptions& options, Target& target) {
  std::error_code problem;
  if (!fs::is_directory(options.target, problem)) {
    target.files = {options.target};
    return {};
  }
  const ModelGeometry geometry = shape_of(options.size.count);
  const ScratchOptions scratch{.directories = {options.target}, .seed = options.seed};
  const bool was_there = fs::exists(scratch_store_paths(geometry, scratch).front(), problem);
  Result<std::vector<std::string>> made = make_announced_store(
      {.label = "writing a file to read from",
       .geometry = geometry,
       .scratch = scratch,
       .consent = {.place_named = true},
       .removal = options.keep ? "" : "removed when the measurement is done (--keep keeps it)"});
  if (!made) {
    return propagate(made);
  }
  target.files = std::move(*made);
  target.remove = !was_there && !options.keep;
  if (target.remove) {
    target.on_sudden_end = OnSuddenEnd({{EndStep::Kind::unlink, target.files.front()}});
  }
  return {};
}

template <class T>
Result<std::vector<T>> sorted_numbers(const std::vector<std::string>& texts, const char* flag, uint64_t most,
                                      const std::function<Result<uint64_t>(const std::string&)>& parse) {
  std::vector<T> numbers;
  for (const std::string& text : texts) {
    Result<uint64_t> number = parse(text);
    if (!number) {
      return wrong_usage("{} {}: {}", flag, text, number.error().message);
    }
    if (*number == 0 || *number > most) {
      return wrong_usage("{} {}: must be 1 to {}", flag, text, most);
    }
    numbers.push_back(T(*number));
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

// Returns the methods asked for by name, or by backend. A backend is read past the page cache if it can do
// that, and otherwise from cold.
Result<std::vector<MethodPlan>> chosen_methods(const std::vector<MethodPlan>& known,
                                               const std::vector<std::string>& wanted) {
  if (wanted.empty()) {
    return known;
  }
  std::vector<MethodPlan> chosen;
  for (const std::string& name : wanted) {
    const auto found =
        std::find_if(known.begin(), known.end(), [&](const MethodPlan& one) { return one.name == name; });
    if (found != known.end()) {
      chosen.push_back(*found);
      continue;
    }
    Result<BackendChoice> backend = backends().choose(name);
    if (!backend) {
      return propagate(backend);
    }
    chosen.push_back(known.front());
    chosen.back().name = name;
    chosen.back().start = backend->traits.is_direct ? MethodPlan::Start::direct : MethodPlan::Start::cold;
    chosen.back().backend = std::move(*backend);
    chosen.back().sequential = false;
  }
  return chosen;
}

// Returns the shape of the experts in a packed store or GGUF; nothing for any other file.
std::optional<ModelGeometry> shape_in(const std::string& path) {
  if (Result<OpenGguf> model = open_gguf(path)) {
    return model->geometry;
  }
  const Result<InputFile> file = InputFile::open(path);
  if (!file) {
    return std::nullopt;
  }
  const Result<PackedHeader> header = read_packed_header(*file);
  if (!header) {
    return std::nullopt;
  }
  ModelGeometry geometry;
  geometry.layers = header->layers;
  geometry.experts_per_layer = header->experts_per_layer;
  geometry.expert_bytes = header->expert_bytes;
  return geometry;
}

// Returns the sizes in which a run reads the experts of the file, in whole pages; none if it has no experts.
std::vector<uint64_t> expert_sizes(const std::string& path) {
  const std::optional<ModelGeometry> geometry = shape_in(path);
  if (!geometry || geometry->largest_expert_bytes() == 0) {
    return {};
  }
  const Result<std::unique_ptr<ExpertStore>> store = open_expert_store({path}, *geometry);
  return store ? read_sizes(**store, *geometry, kPageBytes) : std::vector<uint64_t>();
}

// Returns the sizes of experts that the verdict is about.
std::vector<uint64_t> verdict_sizes(const CalibrationPlan& plan, std::vector<uint64_t> in_store,
                                    bool chosen) {
  constexpr uint64_t kUsual = 4 * kMiB;
  if (chosen) {
    return plan.methods.front().blocks;
  }
  return in_store.empty() ? std::vector{kUsual} : std::move(in_store);
}

Result<CalibrationPlan> make_plan(const CalibrateOptions& options, const std::vector<uint64_t>& in_store) {
  const Result<Nanoseconds> time = parse_duration(options.time);
  if (!time) {
    return wrong_usage("--time: {}", time.error().message);
  }
  CalibrationPlan plan = default_calibration(*time, options.seed);
  plan.rounds = options.rounds;
  Result<std::vector<MethodPlan>> methods = chosen_methods(plan.methods, options.methods);
  if (!methods) {
    return propagate(methods);
  }
  plan.methods = std::move(*methods);
  Result<std::vector<uint64_t>> blocks = sorted_numbers<uint64_t>(
      options.blocks, "--block", kGiB, [](const std::string& text) -> Result<uint64_t> {
        Result<Bytes> bytes = parse_bytes(text);
        return bytes ? Result<uint64_t>(round_up(bytes->count, kPageBytes)) : propagate(bytes);
      });
  if (!blocks) {
    return propagate(blocks);
  }
  Result<std::vector<uint32_t>> depths = sorted_numbers<uint32_t>(
      options.depths, "--depth", 4096, [](const std::string& text) { return parse_count(text, {}); });
  if (!depths) {
    return propagate(depths);
  }
  for (MethodPlan& method : plan.methods) {
    if (blocks->empty()) {
      method.blocks.insert(method.blocks.end(), in_store.begin(), in_store.end());
      std::sort(method.blocks.begin(), method.blocks.end());
      method.blocks.erase(std::unique(method.blocks.begin(), method.blocks.end()), method.blocks.end());
    } else {
      method.blocks = *blocks;
    }
    method.depths = depths->empty() ? method.depths : *depths;
  }
  return plan;
}

const LoadPoint* best_of(const std::vector<LoadPoint>& points) {
  const auto best =
      std::max_element(points.begin(), points.end(),
                       [](const LoadPoint& a, const LoadPoint& b) { return a.bytes_per_s < b.bytes_per_s; });
  return best == points.end() ? nullptr : &*best;
}

void print_profile(const DeviceProfile& profile) {
  constexpr auto kRight = TextTable::Align::right;
  TextTable table({{.least = 14, .gap = 0},
                   {.align = kRight, .least = 10, .gap = 1},
                   {.align = kRight, .least = 6, .gap = 1},
                   {.align = kRight, .least = 10, .gap = 1},
                   {.align = kRight, .least = 10},
                   {.align = kRight, .least = 10, .gap = 1},
                   {.align = kRight, .least = 10, .gap = 1},
                   {.align = kRight, .least = 9, .gap = 1}});
  table.row({"random reads", "block", "depth", "GB/s", "p50", "p99", "p99.9", "CPU s/GB"});
  const auto time = [](double ns) { return format_duration(Nanoseconds(int64_t(ns))); };
  for (const AccessMethod& method : profile.methods) {
    for (const LoadPoint& point : method.random) {
      table.row({printable(method.name), exact_bytes(Bytes{point.block_bytes}),
                 fmt::format("{}", point.depth), fmt::format("{:.3f}", point.bytes_per_s / 1e9),
                 time(point.latency_ns[2]), time(point.latency_ns[5]), time(point.latency_ns[6]),
                 fmt::format("{:.4f}", point.cpu_s_per_gb)});
    }
  }
  fmt::print("{}\n\n{}\n", printable(profile.name), table.text());
  for (const AccessMethod& method : profile.methods) {
    if (const LoadPoint* best = best_of(method.sequential)) {
      fmt::print("sequential, {}: {:.2f} GB/s at {} and depth {}\n", printable(method.name),
                 best->bytes_per_s / 1e9, exact_bytes(Bytes{best->block_bytes}), best->depth);
    }
  }
  if (profile.burst_bytes_per_s > 0) {
    fmt::print("large reads past the page cache: {:.2f} GB/s at first, {:.2f} GB/s sustained\n",
               profile.burst_bytes_per_s / 1e9, profile.sustained_bytes_per_s / 1e9);
  }
  for (const AccessMethod& method : profile.methods) {
    if (method.tells_all_at_once) {
      fmt::print("{}: reads are reported as complete only once the drive is idle\n", printable(method.name));
    }
  }
  fmt::print("copying in memory: {:.1f} GB/s per core\n", profile.copy_bytes_per_s / 1e9);
  for (const FittedModel& fit : profile.fits) {
    fmt::print("fitted: {} (off by {:.0f} % at the median)\n", fit.spec, 100 * fit.median_error);
  }
  if (profile.noise > 0) {
    fmt::print("noise: rounds differ by {:.0f} % at the median\n", 100 * profile.noise);
  }
}

Result<void> run_calibrate(const CalibrateOptions& options) {
  const std::vector<uint64_t> in_store = expert_sizes(options.target);
  Result<CalibrationPlan> plan = make_plan(options, in_store);
  if (!plan) {
    return propagate(plan);
  }
  if (Result<void> writable = check_json_path(options.output, options.target); !writable) {
    return writable;
  }
  Target target;
  if (Result<void> found = find_target(options, target); !found) {
    return found;
  }
  std::vector<std::string> refusals;
  // In seconds, so that the rest of the time is known from the start.
  std::optional<Progress> progress(std::in_place, "measuring for seconds", uint64_t(seconds(plan->duration)),
                                   Progress::Unit::steps);
  const auto tell = [&](Nanoseconds spent) { progress->at(uint64_t(seconds(spent))); };
  Result<DeviceProfile> profile = calibrate(target.files, *plan, tell, refusals);
  progress.reset();
  if (!profile) {
    return propagate(profile);
  }
  for (const std::string& refusal : refusals) {
    note("spillway: not measured: {}\n", printable(refusal));
  }
  Json json = to_json(*profile);
  json["verdicts"] = Json::array();
  std::string verdicts;
  for (const uint64_t bytes : verdict_sizes(*plan, in_store, !options.blocks.empty())) {
    if (const std::optional<DriveVerdict> verdict = judge(*profile, bytes)) {
      json["verdicts"].push_back(to_json(*verdict));
      verdicts += describe(*verdict);
    }
  }
  Result<void> written = write_json(json, options.output);
  if (options.output != "-") {
    print_profile(*profile);
    fmt::print("\n{}", verdicts);
  }
  return written;
}

}  // namespace

void add_calibrate_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<CalibrateOptions>();
  Command command =
      app.subcommand("calibrate", "Measure a drive into a profile that simulate and plan can use");
  command.footer(
      "Example:\n  spillway calibrate /mnt/nvme -o nvme.json\n"
      "  spillway calibrate store.bin --method uring --block 3MB --depth 1,4,8 --time 5s -o nvme.json");
  command
      .text("target", options->target,
            "A directory on the drive, in which a test file is made and removed again; or a large file there")
      .required();
  command.output("-o,--output", options->output, "The profile to write; - writes to stdout")
      .required()
      .type_name("FILE");
  command
      .texts("--method", options->methods,
             "Measure only these: uring, pread direct, pread cold, pread warm, mmap cold, mmap warm,\n"
             "or a backend like uring:depth=8")
      .type_name("NAME");
  command.texts("--block", options->blocks, "Sizes of the reads (default: each method's own)")
      .comma_separated()
      .type_name("SIZE");
  command.texts("--depth", options->depths, "Queue depths of the reads (default: each method's own)")
      .comma_separated()
      .type_name("N");
  command.size("--size", options->size, "Size of the test file").show_default();
  command.text("--time", options->time, "Time that all measurements take together")
      .show_default()
      .type_name("TIME");
  command
      .count("--rounds", {.least = 1, .most = 1000}, options->rounds, "Most times that each load is measured")
      .show_default();
  command.count("--seed", {}, options->seed, "Seed of the random places and order of the reads")
      .show_default();
  command.flag("--keep", options->keep, "Keep the test file for the next calibration");
  command.runs(invocation, [options] { return run_calibrate(*options); });
}

}  // namespace spillway
