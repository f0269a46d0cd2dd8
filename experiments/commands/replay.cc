#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "backends/device_bytes.h"
#include "backends/list.h"
#include "backends/memory_limit.h"
#include "backends/page_cache.h"
#include "backends/page_memory.h"
#include "backends/probe.h"
#include "experiments/cli.h"
#include "experiments/host.h"
#include "experiments/open_store.h"
#include "experiments/progress.h"
#include "experiments/run.h"
#include "experiments/store_plan.h"
#include "runtime/steady_clock.h"

namespace spillway {
namespace {

struct ReplayOptions : RunOptions {
  std::string backend = "uring";
  std::vector<std::string> stores;
  std::optional<uint32_t> ranges;
  std::string pages;
  std::string verify = "sample";
  Bytes memory{0};
  bool warm = false;
  bool no_probe = false;
};

// Everything between the ports and the kernel. Declared in the order in which it is made: what comes later
// uses what came before and must be gone first.
struct Rig {
  std::unique_ptr<MemoryLimit> limit;
  std::unique_ptr<ExpertStore> store;
  std::string ranges;  // per expert
  PageMemory memory;
  Made<Backend> backend;
  Verify verify = Verify::off;
  std::optional<SlotArena> arena;
};

// Finds or makes what `plan` asks for.
Result<std::vector<std::string>> find_store(const StorePlan& plan, const ModelGeometry& geometry) {
  if (!plan.is_scratch()) {
    return plan.files;
  }
  Progress progress("making the store", geometry.total_bytes(), Progress::Unit::bytes);
  return make_scratch_store(geometry, plan.scratch, [&](uint64_t done, uint64_t) {
    progress.at(done);
    return !interrupted();
  });
}

Result<Verify> parse_verify(const ReplayOptions& options, const Rig& rig) {
  const BackendCaps& caps = rig.backend.port->caps();
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

Result<void> make_arena(const ReplayOptions& options, const Composition& parts, Rig& rig) {
  const BackendCaps& caps = rig.backend.port->caps();
  if (caps.zero_copy || !caps.carries_bytes) {
    return {};
  }
  const ModelGeometry& geometry = parts.trace->header.geometry;
  const uint64_t granule = std::max<uint64_t>(caps.alignment, 4096);
  const uint64_t bytes = arena_bytes_for(geometry, *rig.store, granule, parts.cache_bytes);
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
  // Nothing of it is touched yet. Huge pages of the pool are reserved by now; the others may not be there.
  const std::optional<uint64_t> reach = memory_within_reach();
  if (memory->kind() != PageKind::hugetlb && reach && memory->size() > *reach) {
    return failed("--cache {}: the cache needs {} of memory and {} can be had; give a smaller one",
                  exact_bytes(options.cache), format_bytes(memory->size()), format_bytes(*reach));
  }
  rig.memory = std::move(*memory);
  rig.arena.emplace(rig.memory.bytes(), granule);
  return {};
}

Result<void> limit_memory(const ReplayOptions& options, Rig& rig) {
  if (options.memory.count == 0) {
    return {};
  }
  constexpr uint64_t kProgram = 32 * kMiB;  // the trace, code and stacks
  if (rig.memory.size() + kProgram > options.memory.count) {
    return wrong_usage(
        "--memory {}: the cache's memory alone is {}, and {} beside it are needed for the rest",
        exact_bytes(options.memory), format_bytes(rig.memory.size()), format_bytes(kProgram));
  }
  if (options.warm) {
    return wrong_usage(
        "--memory with --warm: what is in the page cache already is outside of the limit; use --cold");
  }
  if (rig.backend.resolved.find("stage=1") != std::string::npos) {
    return wrong_usage("--memory with {}: the staged copy is outside of the limit", options.backend);
  }
  const uint64_t hugetlb = rig.memory.kind() == PageKind::hugetlb ? rig.memory.size() : 0;
  Result<std::unique_ptr<MemoryLimit>> limit = limit_process_memory(options.memory.count, hugetlb);
  if (!limit) {
    return propagate(limit);
  }
  rig.limit = std::move(*limit);
  return {};
}

// All that stands on the store in `rig`: none of it touches much memory or reads anything.
Result<void> equip(const ReplayOptions& options, const Composition& parts, Rig& rig) {
  Result<Made<Backend>> backend =
      make_plugin(backends(), "backend", options.backend, BackendEnv{rig.store->files()});
  if (!backend) {
    return propagate(backend);
  }
  rig.backend = std::move(*backend);
  Result<Verify> verify = parse_verify(options, rig);
  if (!verify) {
    return propagate(verify);
  }
  rig.verify = *verify;
  if (Result<void> made = make_arena(options, parts, rig); !made) {
    return made;
  }
  return limit_memory(options, rig);
}

// Whatever can be refused is refused before a store of gigabytes is made for it: on files that stand in for
// the store everything is had once, and given back.
Result<void> rehearse(const ReplayOptions& options, const Composition& parts, const StorePlan& plan) {
  const ModelGeometry& geometry = parts.trace->header.geometry;
  if (has_scratch_files(geometry, plan.scratch)) {
    return {};
  }
  const std::optional<StandIn> stand_in = StandIn::make(plan.scratch.directories);
  if (!stand_in) {
    return {};
  }
  Rig rig;
  rig.store = std::make_unique<UnmadeStore>(geometry, plan.scratch, stand_in->files());
  return equip(options, parts, rig);
}

// A backend that reads nothing shows so before it has any files. Others may refuse to be made without; what
// they have to say is heard when they get theirs.
bool reads_nothing(const std::string& backend) {
  const Result<Made<Backend>> made = make_plugin(backends(), "backend", backend, BackendEnv{});
  return made && !made->port->caps().carries_bytes;
}

Result<void> provide_store(const ReplayOptions& options, const Composition& parts, Rig& rig) {
  const ModelGeometry& geometry = parts.trace->header.geometry;
  const bool unmade = reads_nothing(options.backend);
  Result<StorePlan> plan = plan_store(options.stores, options.ranges, unmade);
  if (!plan) {
    return propagate(plan);
  }
  rig.ranges = plan->is_scratch() ? fmt::format("{}", plan->scratch.ranges_per_expert) : "the store's own";
  if (plan->is_scratch() && unmade) {
    rig.store = std::make_unique<UnmadeStore>(geometry, plan->scratch, std::vector<std::string>{});
    return {};
  }
  if (plan->is_scratch()) {
    if (Result<void> possible = rehearse(options, parts, *plan); !possible) {
      return possible;
    }
  }
  Result<std::vector<std::string>> paths = find_store(*plan, geometry);
  if (!paths) {
    return propagate(paths);
  }
  Result<std::unique_ptr<ExpertStore>> store = open_expert_store(*paths, geometry);
  if (!store) {
    return propagate(store);
  }
  rig.store = std::move(*store);
  return {};
}

Result<void> make_rig(const ReplayOptions& options, const Composition& parts, Rig& rig) {
  if (Result<std::string> resolved = resolve_plugin(backends(), "backend", options.backend); !resolved) {
    return propagate(resolved);
  }
  if (Result<void> provided = provide_store(options, parts, rig); !provided) {
    return provided;
  }
  // Its limit comes before the memory is touched: what was touched outside of it would not count.
  if (Result<void> equipped = equip(options, parts, rig); !equipped) {
    return equipped;
  }
  if (Result<void> touched = rig.memory.touch(); !touched) {
    return touched;
  }
  return rig.backend.port->attach(rig.memory.bytes());
}

// A short measurement of the best that the drive does on the store's files, beside the run and not on another
// day. That it could not be had is no reason not to run. It reads into the cache's memory, which is not in
// use before and after the run, so that a probe takes no more memory than the run does.
void probe(const ReplayOptions& options, Rig& rig, Report& report) {
  constexpr Nanoseconds kDuration{1'000'000'000};
  constexpr uint64_t kMost = 256 * kMiB;
  constexpr uint64_t kLeast = 64 * kMiB;
  if (options.no_probe || !rig.backend.port->caps().carries_bytes) {
    return;
  }
  // Reading past the page cache is slow where the cache holds what is read: 1.2 instead of 2.3 GB/s after a
  // buffered run.
  if (!options.warm && !drop_page_cache(rig.store->files())) {
    report.warnings.emplace_back("the drive was probed with its files in the page cache, and may be faster");
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
}

// What the kernel says the device delivered since `before`. A count of zero tells something only where there
// is a device whose reads it counts, or where there certainly is none.
std::optional<uint64_t> delivered_since(const std::optional<uint64_t>& before, const Rig& rig) {
  const std::optional<uint64_t> now = process_device_bytes();
  if (!before || !now || !rig.backend.port->caps().carries_bytes) {
    return std::nullopt;
  }
  const std::span<const std::string> files = rig.store->files();
  const bool counted = std::all_of(files.begin(), files.end(), [](const std::string& file) {
    const Result<DeviceInfo> device = device_below(file);
    return device &&
           (!device->name.empty() || device->file_system == "tmpfs" || device->file_system == "ramfs");
  });
  if (*now == *before && !counted) {
    return std::nullopt;
  }
  return *now - *before;
}

// A run that got more out of the drive than the probes did is itself the best that was measured.
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

Result<void> start_cold(const ReplayOptions& options, const Rig& rig, Report& report) {
  if (options.warm || !rig.backend.port->caps().carries_bytes) {
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

void describe_storage(const ReplayOptions& options, const Rig& rig, Report& report) {
  report.store = describe_files(rig.store->files());
  report.backend_note = fmt::format("{}: {}", options.backend, rig.backend.port->caps().note);
  report.io.arena_bytes = rig.memory.size();
  report.io.arena_pages = rig.memory.size() == 0 ? "" : rig.memory.describe();
  report.config.emplace_back("backend", rig.backend.resolved);
  report.config.emplace_back("pages", options.pages.empty() ? "default" : options.pages);
  report.config.emplace_back("memory_bytes", fmt::format("{}", options.memory.count));
  report.config.emplace_back("ranges", rig.ranges);
  report.config.emplace_back("start", options.warm ? "warm" : "cold");
}

Result<void> run_replay(const ReplayOptions& options, const Invocation& invocation) {
  Result<Composition> parts = compose(options);
  if (!parts) {
    return propagate(parts);
  }
  Rig rig;
  if (Result<void> made = make_rig(options, *parts, rig); !made) {
    return made;
  }
  Report report = begin_report("replay", options, *parts, invocation);
  describe_storage(options, rig, report);
  report.io.verify = rig.verify == Verify::off ? "off" : options.verify;
  probe(options, rig, report);
  if (Result<void> dropped = start_cold(options, rig, report); !dropped) {
    return dropped;
  }

  SteadyClock clock;
  const bool zero_copy_cache = rig.backend.port->caps().zero_copy && parts->cache_bytes > 0;
  const Storage storage{*rig.backend.port,
                        *rig.store,
                        rig.arena ? &*rig.arena : nullptr,
                        clock,
                        {.verify = rig.verify, .release_dropped = zero_copy_cache}};
  const std::optional<uint64_t> before = process_device_bytes();
  if (Result<void> ran = run_trace(*parts, storage, report); !ran) {
    return ran;
  }
  report.io.device_bytes = delivered_since(before, rig);
  // A drive that others use drifts: its best is the better of the two moments.
  if (!interrupted()) {
    probe(options, rig, report);
  }
  learn_from_run(report);
  if (Result<void> added = add_ceilings(*parts, options, report); !added) {
    return added;
  }
  return print_report(report, options);
}

}  // namespace

void add_replay_command(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<ReplayOptions>();
  CLI::App* command = app.add_subcommand("replay", "Run a trace against real storage: the main job");
  command->footer(
      "Examples:\n"
      "  spillway replay trace.bin --backend uring --cache 10GB\n"
      "  spillway replay trace.bin --backend pread --cache 0 --memory 10GB     the page cache instead\n"
      "  spillway replay trace.bin --store model.gguf --cache 4GB --compute 2ms");
  add_run_options(*command, *options);
  command->add_option("--backend", options->backend, "Storage backend (see: spillway list backends)")
      ->capture_default_str();
  command
      ->add_option(
          "--store", options->stores,
          "Where the expert bytes are: a packed store, the pieces of a striped one as a,b,c, a GGUF,\n"
          "or directories in which a scratch store is made, or found\n"
          "(default: a scratch store in ~/.cache/spillway)")
      ->delimiter(',');
  command
      ->add_option("--ranges", options->ranges,
                   "Of a scratch store: 1 range per expert (the default), or 3 as in a GGUF")
      ->check(CLI::IsMember({1, 3}));
  command
      ->add_option("--pages", options->pages,
                   "What the cache's memory is made of (default: hugetlb if allowed, else thp)")
      ->check(CLI::IsMember({"small", "thp", "hugetlb"}));
  command
      ->add_option("--verify", options->verify,
                   "Compare what was read with what was stored: all, sample or off")
      ->check(CLI::IsMember({"all", "sample", "off"}))
      ->capture_default_str();
  add_size(*command, "--memory", options->memory, "Limit of the whole process, page cache included");
  command->add_flag("--warm,!--cold", options->warm,
                    "Leave the page cache as it is; --cold, the default, drops the store from it first");
  command->add_flag("--no-probe", options->no_probe, "Do not measure the drive's own best beside the run");
  command->callback([options, &invocation] {
    invocation.run = [options, &invocation] { return run_replay(*options, invocation); };
  });
}

}  // namespace spillway
