#include "app/run/replay.h"

#include "app/run/open_store.h"
#include "app/run/store_plan.h"
#include "app/stores/new_store.h"
#include "host/interrupt.h"
#include "host/linux/cgroup.h"
#include "runtime/steady_clock.h"
#include "stores/stand_in.h"
#include "stores/unmade_store.h"

namespace spillway {
namespace {

// Finds or makes the store that `plan` asks for, and returns its files.
Result<std::vector<std::string>> find_store(const ReplayOptions& options, const StorePlan& plan,
                                            const ModelGeometry& geometry, const Invocation& invocation) {
  if (!plan.is_scratch()) {
    return plan.files;
  }
  return make_announced_store({.label = "making the store",
                               .geometry = geometry,
                               .scratch = plan.scratch,
                               .consent = {!options.stores.empty(), options.yes, invocation.command_line}});
}

// Does a dry run before a scratch store of gigabytes is written: opens the backend, memory and limits on
// small stand-in files and releases them, so that whatever can fail fails early.
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
  rig.on_drives = stand_in->directories();
  // The stand-in files are small, but a staged copy of the store in memory is not.
  const std::optional<uint64_t> reach = memory_within_reach();
  if (options.rig.backend.traits.is_staged && reach && *reach < geometry.total_bytes()) {
    return unavailable(
        "--backend {}: the copy in memory needs {} and {} are available; use stage=0, or a smaller store",
        options.rig.backend.text, format_bytes(geometry.total_bytes()), format_bytes(*reach));
  }
  return equip(options.rig, geometry, {.cache_bytes = parts.policies.cache_bytes}, rig);
}

Result<void> provide_store(const ReplayOptions& options, const Composition& parts,
                           const Invocation& invocation, Rig& rig) {
  const ModelGeometry& geometry = parts.trace->header.geometry;
  const bool unmade = options.rig.backend.traits.does_nothing;
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
  Result<std::vector<std::string>> paths = find_store(options, *plan, geometry, invocation);
  if (!paths) {
    return propagate(paths);
  }
  Result<std::unique_ptr<ExpertStore>> store = open_expert_store(*paths, geometry);
  if (!store) {
    return propagate(store);
  }
  rig.store = std::move(*store);
  rig.store_use = StoreUse(rig.store->files(), plan->is_scratch());
  for (const std::string& file : rig.store->files()) {
    if (Result<void> other = check_json_path(options.run.json, file); !other) {
      return other;
    }
    if (Result<void> other = check_timeline_path(options.run, file); !other) {
      return other;
    }
    if (!options.watch_drive.empty()) {
      if (Result<void> other = check_output_path("--watch-drive", options.watch_drive, file); !other) {
        return other;
      }
    }
  }
  return {};
}

}  // namespace

Result<void> make_rig(const ReplayOptions& options, const Composition& parts, const Invocation& invocation,
                      Rig& rig) {
  if (Result<void> provided = provide_store(options, parts, invocation, rig); !provided) {
    return provided;
  }
  // equip() sets the memory limit before the memory is touched: memory touched outside of the
  // limit would not count.
  const MemoryNeeds needs{.cache_bytes = parts.policies.cache_bytes};
  if (Result<void> equipped = equip(options.rig, parts.trace->header.geometry, needs, rig); !equipped) {
    return equipped;
  }
  return occupy(rig);
}

Result<Report> replay(const ReplayOptions& options, Composition& parts, Rig& rig,
                      const Invocation& invocation, DriveWatch* watch) {
  Report report = begin_report("replay", options.run, parts, invocation);
  describe_storage(options.rig, rig, report);
  if (Result<void> looked = watch == nullptr ? Result<void>() : watch->look(); !looked) {
    return propagate(looked);
  }
  SteadyClock clock;
  const Storage storage = storage_of(rig, parts.policies.cache_bytes, clock);
  const auto run = [&]() -> Result<void> {
    if (watch == nullptr) {
      return run_trace(parts, storage, report);
    }
    clock.forget(clock.now());
    watch->begin_run();
    Result<void> ran = run_trace(parts, storage, report, [&] { return watch->look_when_due(clock); });
    report.io.cpu_s -= watch->cpu_s();
    if (report.io.stolen_cpu_s) {
      *report.io.stolen_cpu_s = std::max(0.0, *report.io.stolen_cpu_s - watch->stolen_cpu_s());
    }
    rig.bytes_beside = watch->device_bytes();
    return ran;
  };
  if (Result<void> ran = run_measured(options.rig, rig, report, run); !ran) {
    return propagate(ran);
  }
  if (watch != nullptr && !interrupted()) {
    Result<void> looked = watch->look();
    report.interrupted = report.interrupted || interrupted();
    if (!looked && !report.interrupted) {
      return propagate(looked);
    }
  }
  if (Result<void> added = add_ceilings(parts.trace->steps, parts.policies.cache_bytes, report); !added) {
    return propagate(added);
  }
  return report;
}

void add_replay_options(Command command, ReplayOptions& options, ListedOptions* listed) {
  add_run_options(command, options.run, listed);
  add_rig_options(command, options.rig, listed);
  command
      .paths("--store", options.stores,
             "Where the expert bytes are: a packed store, the pieces of a striped one as a,b,c, a GGUF,\n"
             "or directories in which a scratch store is found or made;\n"
             "a path that exists may have commas, in another a comma is written \\,\n"
             "(default: a scratch store in ~/.cache/spillway)")
      .type_name("PATH");
  command.flag("--yes", options.yes,
               "Make a missing store of more than 4 GB in ~/.cache/spillway without a question");
  command
      .count("--ranges", {.least = 1, .most = 3}, options.ranges,
             "Ranges per expert of a scratch store: 1 (the default), or 3 as in a GGUF")
      .one_of({"1", "3"})
      .type_name("UINT");
  command
      .output("--watch-drive", options.watch_drive,
              "Pause the run and its clock every second to measure the drive for half a second or more;\n"
              "write the drive's profile during this run to this file, for `simulate --device`.\n"
              "Takes 256 MiB of memory")
      .type_name("FILE");
}

}  // namespace spillway
