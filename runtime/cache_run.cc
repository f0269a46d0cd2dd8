#include "runtime/cache_run.h"

#include "core/digest.h"
#include "runtime/pager.h"
#include "runtime/pass_meter.h"

namespace spillway {

Result<CacheRun> run_cache(StepSource& source, EvictionPolicy& policy, uint64_t capacity_bytes,
                           uint64_t warm_up_passes, Observer* also) {
  Metrics metrics(warm_up_passes);
  DecisionDigest digest;
  Observers observers(metrics, digest, also == nullptr ? std::vector<Observer*>() : std::vector{also});
  Pager pager(source.info().geometry, {.capacity_bytes = capacity_bytes}, policy, observers);
  PassMeter passes(observers);
  Step step;
  while (true) {
    const Result<bool> more = source.next(step);
    if (!more) {
      return Unexpected(more.error());
    }
    if (!*more) {
      passes.close(Nanoseconds(0));
      return CacheRun{metrics.prefill(), metrics.decode(), digest.value()};
    }
    passes.enter(step, Nanoseconds(0));
    pager.begin(step);
    pager.take_commands([&](const PagerCommand& command) {
      if (command.kind == PagerCommand::Kind::load) {
        pager.arrived(command.expert);
      }
    });
    for (const ExpertId expert : step.experts) {
      pager.used(expert);
    }
    pager.take_commands([](const PagerCommand&) {});  // bypassed experts are dropped: nothing to do
    pager.end();
  }
}

}  // namespace spillway
