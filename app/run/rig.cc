#include "app/run/rig.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "app/report/host.h"
#include "app/run/open_store.h"
#include "backends/probe.h"
#include "host/linux/cgroup.h"
#include "host/linux/device_bytes.h"
#include "host/linux/page_cache.h"
#include "host/linux/stopped_time.h"
#include "stores/sample.h"

namespace spillway {
namespace {

// At this rate, one expert of a small model takes a second.
constexpr BytesPerSecond kLeastThrottle{1'000'000};

Result<Verify> parse_verify(const RigOptions& options, const Rig& rig) {
  const BackendCaps& caps = rig.backend->caps();
  const bool can = rig.store->can_check() && caps.carries_bytes;
  if (options.verify == "all" && !can) {
    return wrong_usage("--verify all: {}",
                       caps.carries_bytes ? "this store has no checksums to compare with; use --verify off"
                                          : "this backend carries no bytes; use --verify off");
  }
  return !can || options.verify == "off" ? Verify::off
         : options.verify == "all"       ? Verify::all
                                         : Verify::sample;
}

Result<void> make_arena(const RigOptions& options, const ModelGeometry& geometry, const MemoryNeeds& needs,
                        Rig& rig) {
  const BackendCaps& caps = rig.backend->caps();
  if (caps.zero_copy || !caps.carries_bytes) {
    return {};
  }
  const uint64_t granule = std::max<uint64_t>(caps.alignment, 4096);
  const uint64_t bytes = arena_bytes_for(geometry, *rig.store, granule, needs.cache_bytes);
  std::optional<PageKind> wanted;
  if (!options.pages.empty()) {
    Result<PageKind> kind = parse_page_kind(options.pages);
    if (!kind) {
      return propagate(kind);
    }
    wanted = *kind;
  }
  Result<PageMemory> memory = PageMemory::allocate(bytes, wanted);
  if (!memory) {
    return propagate(memory);
  }
  // None of the memory is touched yet. Huge pages of the pool are already reserved; other pages
  // may not be available.
  const std::optional<uint64_t> reach = memory_within_reach();
  if (memory->kind() != PageKind::hugetlb && reach && memory->size() > *reach) {
    return failed("--cache {}: the cache needs {} of memory and {} are available; give a smaller cache",
                  exact_bytes(Bytes{needs.cache_bytes}), format_bytes(memory->size()), format_bytes(*reach));
  }
  rig.memory = std::move(*memory);
  rig.arena = std::make_unique<SlotArena>(rig.memory.bytes(), granule);
  return {};
}

Result<void> check_memory_limit(const RigOptions& options, const MemoryNeeds& needs, const Rig& rig) {
  const uint64_t beside = needs.resident_bytes + kProgramBytes;
  if (rig.memory.size() + beside > options.memory.count) {
    return wrong_usage(
        "--memory {}: the cache alone needs {}, and the rest of the process needs {}; "
        "give more, or a smaller --cache",
        exact_bytes(options.memory), format_bytes(rig.memory.size()), format_bytes(beside));
  }
  if (options.warm) {
    return wrong_usage(
        "--memory cannot be combined with --warm: pages already in the page cache are outside of the "
        "limit; use --cold");
  }
  return {};
}

// Refuses limits that would have no effect, before a backend copies the store into memory.
Result<void> check_limits(const RigOptions& options) {
  if (options.memory.count > 0 && options.backend.traits.is_staged) {
    return wrong_usage(
        "--memory cannot be combined with --backend {}: the staged copy is outside of the limit",
        options.backend.text);
  }
  if (options.throttle.count > 0 && options.backend.traits.is_staged) {
    return wrong_usage(
        "--throttle cannot be combined with --backend {}: the run reads the staged copy and no drive",
        options.backend.text);
  }
  return {};
}

Result<void> limit(const RigOptions& options, const MemoryNeeds& needs, Rig& rig) {
  ProcessLimits limits;
  if (options.memory.count > 0) {
    if (Result<void> fits = check_memory_limit(options, needs, rig); !fits) {
      return fits;
    }
    limits.memory_bytes = options.memory.count;
    limits.uncharged_bytes =
        needs.resident_hugetlb_bytes + (rig.memory.kind() == PageKind::hugetlb ? rig.memory.size() : 0);
  }
  if (options.throttle.count > 0) {
    if (!rig.backend->caps().carries_bytes) {
      return wrong_usage("--throttle cannot be combined with --backend {}: this backend reads no drive",
                         options.backend.text);
    }
    limits.read_bytes_per_s = options.throttle.count;
    limits.files = rig.on_drives;
    if (limits.files.empty()) {
      limits.files.assign(rig.store->files().begin(), rig.store->files().end());
    }
  }
  Result<std::unique_ptr<LimitedProcess>> limited = limit_process(limits);
  if (!limited) {
    return propagate(limited);
  }
  rig.limits = std::move(*limited);
  return {};
}

// Measures the best rate of the drive on the store's files: for a second, right before and right after the
// run. A run goes on without this measurement if it fails. The reads go into the cache's memory, which is not
// in use then, so that a probe takes no more memory than the run does.
void probe(const RigOptions& options, Rig& rig, Report& report) {
  constexpr Nanoseconds kDuration{1'000'000'000};
  constexpr uint64_t kMost = 256 * kMiB;
  constexpr uint64_t kLeast = 64 * kMiB;
  if (options.no_probe || !rig.backend->caps().carries_bytes) {
    return;
  }
  // Reads past the page cache are slow for files that the page cache holds: 1.2 instead of 2.3 GB/s
  // after a buffered run.
  if (!options.warm && !drop_page_cache(rig.store->files())) {
    report.warnings.emplace_back(
        "the drive was probed while the page cache held its files; it may be faster");
  }
  PageMemory own;
  std::span<std::byte> memory = rig.memory.bytes();
  if (memory.size() < kLeast) {
    Result<PageMemory> made = PageMemory::allocate(kLeast, std::nullopt);
    if (!made || !made->touch()) {
      report.warnings.emplace_back("the drive could not be probed: no memory to read into");
      return;
    }
    own = std::move(*made);
    memory = own.bytes();
  }
  const Result<ProbeResult> best =
      probe_drive(rig.store->files(), kDuration, memory.first(std::min<uint64_t>(memory.size(), kMost)));
  if (!best) {
    report.warnings.push_back(fmt::format("the drive could not be probed: {}", best.error().message));
  } else if (best->bytes_per_second > report.ceilings.drive.bytes_per_s) {
    report.ceilings.drive = {best->bytes_per_second, best->setting};
  }
  // While nobody reads, the throttle accumulates burst credit. The probe may have measured that burst, which
  // does not last, so the drive's best is capped at the throttle's rate.
  if (options.throttle.count > 0) {
    const Result<std::vector<DeviceInfo>> drives = drives_below(rig.store->files());
    const double throttle = double(options.throttle.count) * double(drives ? drives->size() : 1);
    if (report.ceilings.drive.bytes_per_s > throttle) {
      report.ceilings.drive = {throttle, "the rate of --throttle"};
    }
  }
}

// Returns the bytes that the device delivered since `before`, according to the kernel. A count of zero means
// something only if the kernel counts the reads of the store's device, or if there certainly is no device.
std::optional<uint64_t> delivered_since(const std::optional<uint64_t>& before, const Rig& rig) {
  const std::optional<uint64_t> now = process_device_bytes();
  if (!before || !now || !rig.backend->caps().carries_bytes) {
    return std::nullopt;
  }
  if (*now == *before && !zero_is_evidence(rig.store->files())) {
    return std::nullopt;
  }
  return *now - *before - std::min(rig.bytes_beside, *now - *before);
}

// Takes the run's own rate as the drive's best if it exceeds what the probes measured.
void learn_from_run(Report& report) {
  const PhaseMetrics& decode = report.metrics.decode();
  const std::optional<double> from_ram = share_from_ram(report);
  if (report.ceilings.drive.bytes_per_s <= 0 || !from_ram || std::abs(*from_ram) > kColdTolerance ||
      decode.wall.count() == 0) {
    return;
  }
  const double rate = double(decode.bytes_missed) / seconds(decode.wall);
  if (rate > report.ceilings.drive.bytes_per_s) {
    report.ceilings.drive = {rate, fmt::format("by this run itself; the probes beside it saw {}/s",
                                               format_bytes(uint64_t(report.ceilings.drive.bytes_per_s)))};
  }
}

Result<void> start_cold(const RigOptions& options, const Rig& rig, Report& report) {
  if (options.warm || !rig.backend->caps().carries_bytes) {
    return {};
  }
  if (Result<void> dropped = drop_page_cache(rig.store->files()); !dropped) {
    return dropped;
  }
  uint64_t cached = 0;
  for (const std::string& file : rig.store->files()) {
    cached += cached_bytes(file).value_or(0);
  }
  if (cached > 0) {
    report.warnings.push_back(fmt::format("{} of the store stayed in the page cache", format_bytes(cached)));
  }
  return {};
}

// Returns the chance that one read of an expert shows a page whose bytes are lost, in the layer where it is
// smallest; empty where nothing is compared.
std::optional<double> lost_page_seen(const Rig& rig, const ModelGeometry& geometry) {
  if (rig.verify != Verify::sample) {
    return rig.verify == Verify::all ? std::optional(1.0) : std::nullopt;
  }
  double least = 1;
  std::vector<ByteRange> ranges;
  for (uint32_t layer = 0; layer < geometry.layers; ++layer) {
    ranges.clear();
    if (geometry.expert_bytes[layer] > 0) {
      rig.store->ranges(geometry.id(layer, 0), ranges);
    }
    for (const ByteRange& range : ranges) {
      least = std::min(least, page_share_of_sample(range.bytes));
    }
  }
  return 1.0 / kWholeCheckEvery + (1 - 1.0 / kWholeCheckEvery) * least;
}

}  // namespace

Result<void> equip(const RigOptions& options, const ModelGeometry& geometry, const MemoryNeeds& needs,
                   Rig& rig) {
  if (Result<void> sensible = check_limits(options); !sensible) {
    return sensible;
  }
  Result<std::unique_ptr<Backend>> backend = options.backend.make({rig.store->files()});
  if (!backend) {
    return propagate(backend);
  }
  rig.backend = std::move(*backend);
  Result<Verify> verify = parse_verify(options, rig);
  if (!verify) {
    return propagate(verify);
  }
  rig.verify = *verify;
  if (Result<void> made = make_arena(options, geometry, needs, rig); !made) {
    return made;
  }
  return limit(options, needs, rig);
}

Result<void> occupy(Rig& rig) {
  if (Result<void> touched = rig.memory.touch(); !touched) {
    return touched;
  }
  return rig.backend->attach(rig.memory.bytes());
}

namespace {

// Each run compares other experts whole, so that damage shows up in some run. No result depends on it.
uint64_t seed_of_this_moment() {
  return uint64_t(std::chrono::steady_clock::now().time_since_epoch().count());
}

}  // namespace

Storage storage_of(const Rig& rig, uint64_t cache_bytes, Clock& clock) {
  const bool zero_copy_cache = rig.backend->caps().zero_copy && cache_bytes > 0;
  return {*rig.backend,
          *rig.store,
          rig.arena.get(),
          clock,
          {.verify = rig.verify, .verify_seed = seed_of_this_moment(), .release_dropped = zero_copy_cache}};
}

Result<void> run_measured(const RigOptions& options, Rig& rig, Report& report,
                          FunctionRef<Result<void>()> run) {
  probe(options, rig, report);
  if (Result<void> dropped = start_cold(options, rig, report); !dropped) {
    return dropped;
  }
  const std::optional<uint64_t> before = process_device_bytes();
  StoppedTime stopped;
  if (Result<void> ran = run(); !ran) {
    return ran;
  }
  if (report.io.stopped = stopped.total(); report.io.stopped->count() > 0) {
    report.warnings.push_back(
        fmt::format("the process did not run for {}: it was stopped or frozen, or the machine was suspended; "
                    "times and tok/s "
                    "include that, so run it again",
                    format_duration(*report.io.stopped)));
  }
  report.io.device_bytes = delivered_since(before, rig);
  // The speed of a drive that others use drifts: its best is the better of the two probes.
  if (!interrupted()) {
    probe(options, rig, report);
  }
  if (options.throttle.count == 0) {
    learn_from_run(report);
  }
  return {};
}

void add_rig_options(Command command, RigOptions& options, ListedOptions* listed) {
  add_listed_plugin(command, listed, "backend", options.backend, backends(),
                    "Storage backend (see: spillway list backends)")
      .show_default()
      .type_name("BACKEND");
  command
      .text("--pages", options.pages,
            "Kind of pages for the cache's memory (default: hugetlb if allowed, else thp)")
      .one_of({"small", "thp", "hugetlb"});
  command.text("--verify", options.verify, "Compare the bytes read with the bytes stored: all, sample or off")
      .one_of({"all", "sample", "off"})
      .show_default();
  command.size("--memory", options.memory, "Limit the memory of the whole process, page cache included");
  command.rate("--throttle", kLeastThrottle, options.throttle,
               "Limit each of the store's drives to this rate, with the kernel's block I/O controller");
  command.flag("--warm,!--cold", options.warm,
               "Leave the page cache as it is; --cold, the default, drops the store from it first");
  command.flag("--no-probe", options.no_probe,
               "Do not measure the drive's best rate before and after the run");
}

void describe_storage(const RigOptions& options, const Rig& rig, Report& report) {
  report.store = describe_files(rig.store->files());
  report.identity.store = store_identity({rig.store->files().begin(), rig.store->files().end()}).value_or("");
  report.backend_note = fmt::format("{}: {}", options.backend.text, rig.backend->caps().note);
  report.io.verify = rig.verify == Verify::off ? "off" : options.verify;
  report.io.lost_page_seen = lost_page_seen(rig, report.geometry);
  report.io.arena_bytes = rig.memory.size();
  report.io.arena_pages = rig.memory.size() == 0 ? "" : rig.memory.describe();
  report.config.emplace_back("backend", options.backend.resolved);
  report.config.emplace_back("pages", options.pages.empty() ? "default" : options.pages);
  report.config.emplace_back("memory_bytes", fmt::format("{}", options.memory.count));
  report.config.emplace_back("throttle_bytes_per_s", fmt::format("{}", options.throttle.count));
  report.config.emplace_back("ranges", rig.ranges);
  report.config.emplace_back("start", options.warm ? "warm" : "cold");
}

}  // namespace spillway
