#include <gtest/gtest.h>

#include "policies/list.h"
#include "runtime/metrics.h"
#include "runtime/paced_compute.h"
#include "runtime/pump.h"
#include "runtime/session.h"
#include "sim/list.h"
#include "sim/simulated_backend.h"
#include "stores/unmade_store.h"
#include "tests/support/fakes.h"
#include "tests/support/make_plugin.h"
#include "tests/support/step_list.h"

namespace spillway {
namespace {

// Behaves like a live model: it computes while it is asked for a step, and nothing pumps meanwhile.
class ThinkingSource final : public StepSource {
 public:
  ThinkingSource(StepSource& steps, VirtualClock& clock, Nanoseconds thought)
      : info_(steps.info()), steps_(steps), clock_(clock), thought_(thought) {
    info_.is_live = thought.count() > 0;
  }

  const SourceInfo& info() const override { return info_; }
  Result<bool> next(Step& step) override {
    clock_.advance_to(clock_.now() + thought_);
    return steps_.next(step);
  }

 private:
  SourceInfo info_;
  StepSource& steps_;
  VirtualClock& clock_;
  Nanoseconds thought_;
};

// Decode of 48-expert layers with 1.7 MB experts on a 3.5 GB/s drive, with prefetch of a set accuracy, in
// virtual time.
class PrefetchInVirtualTime : public testing::Test {
 protected:
  Nanoseconds wall(double accuracy, const std::string& compute, Nanoseconds thought = Nanoseconds(0),
                   const std::string& device = "linear:bandwidth=3.5GB/s,latency=80us") {
    Metrics metrics;
    VirtualClock clock;
    test::StepList steps(shape_, steps_);
    ThinkingSource source(steps, clock, thought);
    const PolicyEnv env{&source.info(), kCapacity, 1};
    const std::unique_ptr<EvictionPolicy> policy = std::move(*make_plugin(eviction_policies(), "lru", env));
    fake::NoPrefetch none;
    fake::NextStepPrefetch hints(steps_, shape_, accuracy, 1);
    Prefetcher& prefetcher = accuracy < 0 ? static_cast<Prefetcher&>(none) : hints;
    const UnmadeStore store = imagined_store(shape_);
    SimulatedBackend backend(std::move(*make_plugin(device_models(), device, {1})), clock, {});
    Pager pager(shape_, {.capacity_bytes = kCapacity}, *policy, metrics);
    Loader loader(shape_, store, backend, nullptr, pager, clock, metrics, {});
    const std::unique_ptr<Compute> pace =
        std::move(*make_paced_compute(*parse_compute(compute), source.info()));
    Session session({source, prefetcher, pager, loader, *pace, clock, metrics});
    EXPECT_TRUE(session.run([] { return false; }));
    idle_ = loader.counts().idle;
    return metrics.decode().wall;
  }

  Nanoseconds idle_{0};  // idle time of the drive in the last run

  static constexpr uint64_t kCapacity = 300'000'000;
  ModelGeometry shape_ = fake::geometry(std::vector<uint64_t>(8, 1'700'000), 48, 6);
  std::vector<Step> steps_ = fake::random_steps(shape_, 0, 150, 0.3, 5);
};

TEST_F(PrefetchInVirtualTime, HidesReadsBehindComputeWhenItIsRight) {
  // Without prefetch the drive is already busy for 97 % of the time, since the experts of a step are computed
  // as they arrive. Prefetching can gain no more than the rest.
  EXPECT_LT(seconds(wall(1.0, "1ms")), 0.96 * seconds(wall(-1, "1ms")));
}

TEST_F(PrefetchInVirtualTime, CostsNextToNothingAtAnyAccuracy) {
  const std::vector<std::pair<const char*, double>> devices = {
      {"linear:bandwidth=3.5GB/s,latency=80us", 1.005},
      {"linear:bandwidth=0.4GB/s,latency=200us", 1.01}};  // a piece takes longer than a layer's compute
  for (const auto& [device, most] : devices) {
    for (const char* compute : {"none", "200us", "1ms", "2ms", "5ms"}) {
      const double none = seconds(wall(-1, compute, Nanoseconds(0), device));
      for (const double accuracy : {0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0}) {
        EXPECT_LT(seconds(wall(accuracy, compute, Nanoseconds(0), device)), most * none)
            << "accuracy " << accuracy << ", compute " << compute << ", " << device;
      }
    }
  }
}

TEST_F(PrefetchInVirtualTime, DoesNothingWhereThereIsNoComputeToHideBehind) {
  EXPECT_EQ(wall(1.0, "none"), wall(-1, "none"));
}

TEST_F(PrefetchInVirtualTime, ReadsForAsLongAsALiveModelThinksWithoutBeingAskedAgain) {
  const Nanoseconds thought = std::chrono::milliseconds(2);
  const auto reading = [&](double accuracy) {
    return seconds(wall(accuracy, "none", thought)) - seconds(thought) * double(steps_.size());
  };
  // The missing experts of a layer take the drive 0.7 ms on average.
  EXPECT_LT(reading(1.0), 0.35 * reading(-1));
  EXPECT_LT(reading(0.0), 1.05 * reading(-1));
}

// Counts the experts that get a place on a hint, which they do when the loader sends a prefetch.
class PrefetchedReads final : public Observer {
 public:
  void on(const Event& event) override { count += event.kind == EventKind::prefetch ? 1 : 0; }
  int count = 0;
};

TEST_F(PrefetchInVirtualTime, MayUseTheDriveWhileALiveModelComputesAnExpertAndNoReadIsAwaited) {
  for (const bool is_live : {true, false}) {
    PrefetchedReads reads;
    VirtualClock clock;
    test::StepList steps(shape_, steps_);
    SourceInfo info = steps.info();
    info.is_live = is_live;
    const PolicyEnv env{&info, kCapacity, 1};
    const std::unique_ptr<EvictionPolicy> policy = std::move(*make_plugin(eviction_policies(), "lru", env));
    const UnmadeStore store = imagined_store(shape_);
    SimulatedBackend backend(std::move(*make_plugin(device_models(), "linear:bandwidth=3.5GB/s", {1})), clock,
                             {});
    Pager pager(shape_, {.capacity_bytes = kCapacity}, *policy, reads);
    Loader loader(shape_, store, backend, nullptr, pager, clock, reads, {});
    const std::unique_ptr<Pump> pump = make_pump(info, loader, clock);
    Step step;
    ASSERT_TRUE(*pump->take(steps, step));
    pager.begin(step);
    ASSERT_TRUE(pump->send_demands());
    while (!pager.all_ready()) {
      ASSERT_TRUE(loader.wait(Loader::Until::last_expert));
    }
    pager.hint({{shape_.id(step.layer + 1, 0), 0.9F}});
    ASSERT_TRUE(pump->before_expert([&] { return clock.now() + std::chrono::seconds(1); }));
    loader.drain();
    EXPECT_EQ(reads.count > 0, is_live) << "a paced computation is pumped meanwhile, by the session";
  }
}

TEST_F(PrefetchInVirtualTime, TheDriveIsIdleFromTheFirstReadOnWheneverNothingIsInFlight) {
  const Nanoseconds reading = wall(-1, "none");
  EXPECT_EQ(idle_, Nanoseconds(0));
  const Nanoseconds thought = std::chrono::milliseconds(2);
  // Compute before the first read does not count; compute after the last pass does.
  const Nanoseconds both = wall(-1, "none", thought);
  EXPECT_EQ(idle_, both - reading);
}

}  // namespace
}  // namespace spillway
