#include "runtime/pump.h"

#include <vector>

namespace spillway {
namespace {

class PacedPump final : public Pump {
 public:
  explicit PacedPump(Loader& loader) : loader_(loader) {}

  Result<bool> take(StepSource& source, Step& step) override { return source.next(step); }

  Result<void> send_demands() override { return loader_.pump(Loader::kBusy); }

  Result<void> before_expert(FunctionRef<Nanoseconds()> /*idle_until*/) override { return {}; }

 private:
  Loader& loader_;
};

class LivePump final : public Pump {
 public:
  LivePump(uint32_t layers, Loader& loader, const Clock& clock)
      : loader_(loader), clock_(clock), thinking_(layers) {}

  // The model computes a layer's attention while it is asked for the step. Prefetch may use the drive for as
  // long as the same layer took for the previous token.
  Result<bool> take(StepSource& source, Step& step) override {
    const Nanoseconds start = clock_.now();
    if (thinking().count() > 0) {
      if (Result<void> left = loader_.leave(start + thinking()); !left) {
        return propagate(left);
      }
    }
    Result<bool> more = source.next(step);
    thinking() = clock_.now() - start;
    next_layer_ = (step.layer + 1) % uint32_t(thinking_.size());
    return more;
  }

  // The model computes its shared expert next.
  Result<void> send_demands() override { return loader_.leave(Loader::kBusy); }

  // The step's last expert is followed by the attention of the next layer, which needs no reads either.
  Result<void> before_expert(FunctionRef<Nanoseconds()> idle_until) override {
    const Nanoseconds until = idle_until();
    return loader_.leave(until == Loader::kBusy ? until : until + thinking());
  }

 private:
  Nanoseconds& thinking() { return thinking_[next_layer_]; }

  Loader& loader_;
  const Clock& clock_;
  std::vector<Nanoseconds> thinking_;  // time that the source took for each layer the last time
  uint32_t next_layer_ = 0;
};

}  // namespace

std::unique_ptr<Pump> make_pump(const SourceInfo& info, Loader& loader, const Clock& clock) {
  if (info.is_live) {
    return std::make_unique<LivePump>(info.geometry.layers, loader, clock);
  }
  return std::make_unique<PacedPump>(loader);
}

}  // namespace spillway
