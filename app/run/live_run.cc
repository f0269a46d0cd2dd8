#include "app/run/live_run.h"

#include <algorithm>

#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/run/open_store.h"
#include "host/linux/cgroup.h"
#include "host/linux/peak_memory.h"
#include "runtime/steady_clock.h"
#include "traces/lookahead.h"

namespace spillway {
namespace {

// Returns the size of a cache for all experts, or four fifths of the memory available beside the resident
// weights if that is less. The cache has room for at least the largest step of a token.
uint64_t default_cache(const LiveRunOptions& options, const LiveRun& run) {
  constexpr uint64_t kUnknown = 4 * kGiB;
  const ModelGeometry& geometry = run.live->geometry();
  const uint64_t reach =
      options.rig.memory.count > 0 ? options.rig.memory.count : memory_within_reach().value_or(kUnknown);
  const uint64_t resident = run.live->memory().size();
  const uint64_t left = reach > resident ? (reach - resident) / 5 * 4 : 0;
  return std::clamp(left, geometry.largest_token_step_bytes(), geometry.total_bytes());
}

Result<void> find_experts(const LiveRunOptions& options, LiveRun& run) {
  const std::vector<std::string> files =
      options.live.store.empty() ? std::vector<std::string>{options.live.model} : options.live.store;
  if (Result<void> ours = check_store_is_of(files, run.live->gguf()); !ours) {
    return ours;
  }
  Result<std::unique_ptr<ExpertStore>> store = open_expert_store(files, run.live->geometry());
  if (!store) {
    return propagate(store);
  }
  run.rig.store = std::move(*store);
  run.rig.ranges = "the store's own";
  return {};
}

// Checks that the longest text fits into this machine's memory. Room for a context is taken only as it is
// used, so without this check the kernel would end the run somewhere within a text that is too long.
Result<void> check_context(const LiveRun& run) {
  const std::optional<uint64_t> there = memory_at_most();
  const uint64_t resident = run.live->memory().size();
  const uint64_t context = run.live->context_bytes(run.longest_text);
  if (there && (resident > *there || context > *there - resident)) {
    return wrong_usage(
        "{}: a context of {} tokens takes {} and the resident weights {}, and this machine has {} of memory; "
        "make the context shorter",
        run.length_option, run.longest_text, format_bytes(context), format_bytes(resident),
        format_bytes(*there));
  }
  return {};
}

// Checks that --memory leaves room for the context and for working on it. Both are known only once
// the model is built.
Result<void> check_beside(const LiveRunOptions& options, const LiveRun& run) {
  const Model& model = run.live->model();
  const uint64_t context = model.state_bytes(run.context);
  const uint64_t work = working_bytes(model, std::min(run.batch, run.context));
  const uint64_t taken = run.rig.memory.size() + run.live->memory().size() + kProgramBytes;
  if (options.rig.memory.count > 0 && taken + context + work > options.rig.memory.count) {
    return wrong_usage(
        "--memory {}: cache and resident weights take {}, a context of {} tokens takes {} "
        "and working on {} at a time takes {}; give a smaller --cache, --context or --batch",
        exact_bytes(options.rig.memory), format_bytes(taken), run.context, format_bytes(context),
        std::min(run.batch, run.context), format_bytes(work));
  }
  return {};
}

}  // namespace

void add_live_run_options(Command command, LiveRunOptions& options) {
  add_live_model_options(command, options.live);
  options.cache_option = add_cache_options(command, options.cache);
  add_rig_options(command, options.rig);
}

Result<void> open_live(const LiveRunOptions& options, LiveRun& run) {
  if (Result<void> writable = check_json_path(options.cache.json, options.live.model); !writable) {
    return writable;
  }
  if (Result<void> writable = check_timeline_path(options.cache, options.live.model); !writable) {
    return writable;
  }
  run.lookahead = std::max(options.lookahead, options.cache.prefetch.traits.lookahead);
  Result<std::unique_ptr<LiveModel>> live = LiveModel::open(options.live);
  if (!live) {
    return propagate(live);
  }
  run.live = std::move(*live);
  run.notes = run.live->notes();
  run.info = {.geometry = run.live->geometry(),
              .has_compute_times = true,
              .has_lookahead = run.lookahead > 0,
              .is_live = true};
  return {};
}

Result<void> equip_live(const LiveRunOptions& options, LiveRun& run) {
  if (Result<void> found = find_experts(options, run); !found) {
    return found;
  }
  if (Result<void> reserved = run.live->reserve(); !reserved) {
    return reserved;
  }
  if (Result<void> possible = check_context(run); !possible) {
    return possible;
  }
  run.cache = options.cache;
  if (!options.cache_option.given()) {
    run.cache.cache.count = default_cache(options, run);
  }
  run.cache.cache = cache_size(run.cache, run.live->geometry());
  run.cache.cache_share.reset();
  Result<Policies> policies = make_policies(run.cache, run.info, options.live.model);
  if (!policies) {
    return propagate(policies);
  }
  run.policies = std::move(*policies);
  const PageMemory& resident = run.live->memory();
  const MemoryNeeds needs{
      .cache_bytes = run.policies.cache_bytes,
      .resident_bytes = resident.size(),
      .resident_hugetlb_bytes = resident.kind() == PageKind::hugetlb ? resident.size() : 0};
  if (Result<void> equipped = equip(options.rig, run.info.geometry, needs, run.rig); !equipped) {
    return equipped;
  }
  if (!run.rig.backend->caps().carries_bytes) {
    return wrong_usage(
        "--backend {}: reads no bytes, so a model has nothing to compute with; choose another backend",
        options.rig.backend.text);
  }
  return {};
}

Result<void> load_live(const LiveRunOptions& options, LiveRun& run) {
  if (Result<void> loaded = run.live->load(run.context); !loaded) {
    return loaded;
  }
  if (Result<void> fits = check_beside(options, run); !fits) {
    return fits;
  }
  for (const std::string& sentence : run.notes) {
    note("{}: {}\n", printable(options.live.model), sentence);
  }
  return occupy(run.rig);
}

Report begin_live_report(std::string command, const LiveRunOptions& options, const LiveRun& run,
                         const Invocation& invocation) {
  Report report = begin_report(std::move(command), run.cache, invocation);
  report.model = run.live->name();
  if (const Result<PackedOrigin> origin = gguf_origin(run.live->gguf())) {
    report.identity.model = fmt::format("{:016x}", origin->fingerprint);
  }
  report.geometry = run.info.geometry;
  const auto add = [&](const char* key, auto value) {
    report.config.emplace_back(key, fmt::format("{}", value));
  };
  add("compute", "live");
  add("model", options.live.model);
  add("threads", run.live->threads());
  add("isa", name_of(run.live->isa()));
  add("kv", options.live.kv);
  add("context", run.context);
  add("lookahead", run.lookahead);
  describe_storage(options.rig, run.rig, report);
  report.live = LiveFacts{.resident_bytes = run.live->memory().size(),
                          .context_bytes = run.live->model().state_bytes(run.context),
                          .peak_bytes = {},
                          .generated_tokens = 0,
                          .lookahead_recall = {}};
  return report;
}

Result<void> run_live(const LiveRunOptions& options, LiveRun& run, TokenFeed& feed,
                      const Decoder::Recorder& recorder, Report& report) {
  LookaheadRecall recall(run.info.geometry);
  const auto observe = [&](const Step& step) -> Result<void> {
    recall.observe(step);
    return recorder ? recorder(step) : Result<void>();
  };
  SteadyClock clock;
  Decoder decoder(run.live->model(), run.live->engine(), feed, clock,
                  {.context = run.context, .lookahead = run.lookahead}, observe);
  const Storage storage = storage_of(run.rig, run.policies.cache_bytes, clock);
  const auto decode = [&] {
    // The feed itself ends the run on Ctrl-C, between two passes.
    return run_session(
        decoder, decoder, run.policies, storage, options.cache.timeline, [] { return false; }, report);
  };
  Result<void> ran = run_measured(options.rig, run.rig, report, decode);
  if (!ran && decoder.saw_non_finite()) {
    const std::optional<std::string> tensor = run.live->find_damaged();
    ran = failed(
        "{}: {}; {}", options.live.model, ran.error().message,
        tensor ? fmt::format("tensor {} has a value that is no finite number: get the file again", *tensor)
               : "the weights in memory are sound, so an expert's are not: get the file again");
  }
  for (const LookaheadRecall::Distance& distance : recall.by_distance()) {
    report.live->lookahead_recall.emplace_back(distance.layers, distance.recall());
  }
  report.live->peak_bytes = peak_memory_bytes();
  report.interrupted = interrupted();
  return ran;
}

}  // namespace spillway
