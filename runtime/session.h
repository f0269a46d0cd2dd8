#pragma once

#include <memory>
#include <vector>

#include "core/function_ref.h"
#include "core/ports.h"
#include "runtime/loader.h"
#include "runtime/pager.h"
#include "runtime/pump.h"

namespace spillway {

// The parts of a run. Replay, simulation and a live model differ only in these parts. All of them must
// outlive the session.
struct SessionPorts {
  StepSource& source;
  Prefetcher& prefetcher;
  Pager& pager;
  Loader& loader;
  Compute& compute;
  Clock& clock;
  Observer& observer;
};

// The one loop of the lab: takes steps from the source, lets the pager decide and the loader read, computes
// each expert as soon as its bytes are there, and reports how long each part took.
class Session {
 public:
  explicit Session(const SessionPorts& ports)
      : ports_(ports), pump_(make_pump(ports.source.info(), ports.loader, ports.clock)) {}

  // Runs until the source ends or `stop`, which is asked before each step, returns true. Only complete
  // forward passes are reported; a pass that fails or is stopped midway is not.
  Result<void> run(FunctionRef<bool()> stop);

 private:
  Result<void> run_step(const Step& step, Nanoseconds began);
  Result<void> run_experts(const Step& step);
  Result<void> await_experts(const Step& step);
  void use_what_is_here();
  Result<void> compute_experts(const Step& step);
  Result<void> stall(const Step& step);
  Result<void> compute_expert(const Step& step, ExpertId expert);
  bool all_here() const;
  Result<void> await(Nanoseconds deadline, Nanoseconds idle_until);
  bool choose_ready();
  void report(EventKind kind, const Step& step, Nanoseconds start, Nanoseconds duration,
              ExpertId expert = ExpertId{});

  size_t left() const { return order_.size() - computed_; }

  SessionPorts ports_;
  std::unique_ptr<Pump> pump_;
  std::vector<ExpertId> order_;  // the step's experts, the first computed_ of them already computed
  size_t computed_ = 0;
  HintList hints_;
  Nanoseconds expert_time_{0};  // compute time of the last expert
};

}  // namespace spillway
