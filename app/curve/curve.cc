#include "app/curve/curve.h"

#include <algorithm>
#include <map>

#include "app/cli/interruptible.h"
#include "runtime/cache_run.h"
#include "sim/curve/replay.h"
#include "sim/curve/request_source.h"

namespace spillway {
namespace {

// Counts a pager's hits for each row of a stream.
class RowHits final : public Observer {
 public:
  explicit RowHits(const AccessStream& stream) : stream_(stream), hits_(stream.rows(), 0) {}

  void on(const Event& event) override {
    if (event.kind == EventKind::hit) {
      ++hits_[stream_.row_of(event.phase, stream_.geometry().layer_of(event.expert))];
    }
  }
  std::vector<uint64_t> take() { return std::move(hits_); }

 private:
  const AccessStream& stream_;
  std::vector<uint64_t> hits_;
};

// Counts hits in the quickest way for each policy.
class HitCounter {
 public:
  HitCounter(const OpenTrace& trace, const AccessStream& stream, CacheSemantics semantics, uint64_t seed)
      : trace_(trace), stream_(stream), semantics_(semantics), seed_(seed), next_uses_(stream, semantics) {}

  // Returns the hits for each row of the stream.
  Result<std::vector<uint64_t>> hits(const EvictionChoice& policy, uint64_t cache_bytes) {
    switch (policy.traits.rule) {
      case EvictionRule::least_recent:
        return replay_lru(stream_, semantics_, cache_bytes);
      case EvictionRule::first_in:
        return replay_fifo(stream_, semantics_, cache_bytes);
      case EvictionRule::least_frequent:
        return replay_lfu(stream_, semantics_, cache_bytes);
      case EvictionRule::farthest_next_use:
        return belady(cache_bytes);
      case EvictionRule::other:
        break;
    }
    return by_pager(policy, cache_bytes);
  }

  // Returns the hits of Belady's policy. They are kept, since every policy is compared with them.
  const std::vector<uint64_t>& belady(uint64_t cache_bytes) {
    const auto known = belady_.find(cache_bytes);
    return known != belady_.end()
               ? known->second
               : belady_.emplace(cache_bytes, replay_belady(stream_, next_uses_, cache_bytes)).first->second;
  }

 private:
  Result<std::vector<uint64_t>> by_pager(const EvictionChoice& policy, uint64_t cache_bytes) {
    Result<const MemoryTrace*> asked = steps();
    if (!asked) {
      return propagate(asked);
    }
    const PolicyEnv env{&(*asked)->info(), cache_bytes, seed_};
    Result<std::unique_ptr<EvictionPolicy>> made = policy.make(env);
    if (!made) {
      return propagate(made);
    }
    const std::unique_ptr<StepSource> source = (*asked)->cursor();
    Interruptible steps(*source, "curve");
    RowHits hits(stream_);
    Result<CacheRun> run = run_cache(steps, **made, cache_bytes, 0, &hits);
    if (!run) {
      return propagate(run);
    }
    return hits.take();
  }

  // Returns the trace in the form that the pager needs: whole steps, or each expert as its own request.
  Result<const MemoryTrace*> steps() {
    if (semantics_ == CacheSemantics::step) {
      return &trace_.steps;
    }
    if (!requests_) {
      const std::unique_ptr<StepSource> source = trace_.steps.cursor();
      RequestSource singles(*source);
      Interruptible interruptible(singles, "curve");
      Result<MemoryTrace> loaded = MemoryTrace::load(interruptible);
      if (!loaded) {
        return propagate(loaded);
      }
      loaded->annotate_next_use();
      requests_ = std::move(*loaded);
    }
    return &*requests_;
  }

  const OpenTrace& trace_;
  const AccessStream& stream_;
  CacheSemantics semantics_;
  uint64_t seed_;
  NextUses next_uses_;
  std::map<uint64_t, std::vector<uint64_t>> belady_;  // for each cache size
  std::optional<MemoryTrace> requests_;               // made when the pager first needs it
};

std::optional<uint64_t> find_knee(const AccessStream& stream, const LruCurve& lru) {
  const std::vector<uint64_t> none(stream.rows(), 0);
  const bool decodes = phase_counts(stream, none, Phase::decode).accesses > 0;
  const std::span<const uint64_t> sums = lru.hits[decodes ? 1 : 0];
  const size_t first =
      std::min<size_t>((lru.least_bytes + lru.granule_bytes - 1) / lru.granule_bytes, sums.size());
  const std::optional<size_t> found = knee(sums.subspan(first));
  return found ? std::optional((first + *found) * lru.granule_bytes) : std::nullopt;
}

// Returns sizes that double from the smallest usable cache up to all experts, and the sizes of the cliff and
// the knee.
std::vector<uint64_t> default_sizes(const CurveStudy& study) {
  const ModelGeometry& geometry = study.stream.geometry();
  const uint64_t least = least_cache_bytes(geometry, study.semantics);
  std::vector<uint64_t> sizes = {geometry.token_cycle_bytes()};
  for (uint64_t size = geometry.total_bytes(); size >= least && sizes.size() < 13; size /= 2) {
    sizes.push_back(size);
  }
  if (study.knee_bytes) {
    sizes.push_back(*study.knee_bytes);
  }
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  return sizes;
}

Result<void> add_point(const EvictionChoice& policy, uint64_t size, HitCounter& counter, CurveStudy& study) {
  Result<std::vector<uint64_t>> hits = counter.hits(policy, size);
  if (!hits) {
    return propagate(hits);
  }
  const MissCauses causes = explain_misses(total_counts(study.stream, *hits).misses(),
                                           total_counts(study.stream, counter.belady(size)).misses(),
                                           total_counts(study.stream, study.first_uses).hits);
  study.points.push_back({policy, size, std::move(*hits), causes});
  return {};
}

}  // namespace

uint64_t least_cache_bytes(const ModelGeometry& geometry, CacheSemantics semantics) {
  return semantics == CacheSemantics::step ? geometry.largest_token_step_bytes()
                                           : geometry.largest_expert_bytes();
}

Result<CurveStudy> study_curve(const OpenTrace& trace, const CurveWish& wish) {
  const std::unique_ptr<StepSource> source = trace.steps.cursor();
  Interruptible steps(*source, "curve");
  Result<AccessStream> stream = AccessStream::load(steps);
  if (!stream) {
    return propagate(stream);
  }
  LruCurve lru = lru_curve(*stream, wish.semantics);
  const std::optional<uint64_t> knee_bytes = find_knee(*stream, lru);
  std::vector<uint64_t> firsts = first_uses(*stream);
  CurveStudy study{.trace_path = trace.path,
                   .model = trace.header.model,
                   .semantics = wish.semantics,
                   .stream = std::move(*stream),
                   .lru = std::move(lru),
                   .first_uses = std::move(firsts),
                   .knee_bytes = knee_bytes,
                   .policies = wish.policies,
                   .sizes = wish.sizes,
                   .points = {}};
  if (study.sizes.empty()) {
    study.sizes = default_sizes(study);
  }
  HitCounter counter(trace, study.stream, wish.semantics, wish.seed);
  for (const EvictionChoice& policy : study.policies) {
    for (const uint64_t size : study.sizes) {
      if (interrupted()) {
        return study;
      }
      Result<void> added = add_point(policy, size, counter, study);
      if (!added && interrupted()) {
        return study;
      }
      if (!added) {
        return propagate(added);
      }
    }
  }
  return study;
}

}  // namespace spillway
