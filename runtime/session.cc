#include "runtime/session.h"

#include <algorithm>

#include "runtime/pass_meter.h"

namespace spillway {

Result<void> Session::run(FunctionRef<bool()> stop) {
  PassMeter passes(ports_.observer);
  Step step;
  Result<void> outcome;
  while (outcome) {
    const Nanoseconds start = ports_.clock.now();
    const Result<bool> more = take_step(step);
    if (!more) {
      outcome = Unexpected(more.error());
      break;
    }
    if (!*more) {
      passes.close(start);
      break;
    }
    if (stop()) {
      if (passes.begins_pass(step)) {
        passes.close(start);
      }
      break;
    }
    passes.enter(step, start);
    outcome = run_step(step, start);
  }
  ports_.loader.drain();
  if (outcome) {
    ports_.pager.finish();
  }
  return outcome;
}

// A live source computes while it is asked: prefetch has the drive for as long as that is likely to take.
Result<bool> Session::take_step(Step& step) {
  if (!ports_.source.info().is_live) {
    return ports_.source.next(step);
  }
  const Nanoseconds start = ports_.clock.now();
  if (thinking_.count() > 0) {
    if (Result<void> pumped = ports_.loader.pump(start + thinking_); !pumped) {
      return propagate(pumped);
    }
  }
  Result<bool> more = ports_.source.next(step);
  thinking_ = ports_.clock.now() - start;
  return more;
}

Result<void> Session::run_step(const Step& step, Nanoseconds began) {
  const Nanoseconds routed = ports_.compute.attention(step, began);
  if (Result<void> waited = await(routed, routed); !waited) {
    return waited;
  }
  report(EventKind::attention, step, began, routed - began);

  ports_.pager.begin(step);
  ports_.prefetcher.observe(step);
  hints_.clear();
  ports_.prefetcher.propose(step, hints_);
  ports_.pager.hint(hints_);
  if (Result<void> ran = run_experts(step); !ran) {
    return ran;
  }
  ports_.pager.end();
  report(EventKind::step, step, began, ports_.clock.now() - began);
  return {};
}

Result<void> Session::run_experts(const Step& step) {
  pending_.assign(step.experts.begin(), step.experts.end());
  if (Result<void> pumped = ports_.loader.pump(Loader::kBusy); !pumped) {
    return pumped;
  }
  const Nanoseconds under_way = ports_.clock.now();
  const Nanoseconds shared = ports_.compute.shared_expert(step, under_way);
  if (shared > under_way) {
    if (Result<void> waited = await(shared, Loader::kBusy); !waited) {
      return waited;
    }
    report(EventKind::shared_expert, step, under_way, shared - under_way);
  }
  while (!pending_.empty()) {
    ExpertId expert{};
    if (!take_ready(expert)) {
      const Nanoseconds start = ports_.clock.now();
      // Where computing takes no time, waking up for each expert gains nothing and costs a context switch.
      const Loader::Until until =
          expert_time_.count() == 0 ? Loader::Until::last_expert : Loader::Until::first_expert;
      if (Result<void> waited = ports_.loader.wait(until); !waited) {
        return waited;
      }
      report(EventKind::stall, step, start, ports_.clock.now() - start);
      continue;
    }
    if (Result<void> computed = compute_expert(step, expert); !computed) {
      return computed;
    }
    ports_.pager.used(expert);
  }
  return {};
}

// Once the step's last bytes are there the drive is idle until all that is left has been computed, and
// prefetch may have it. Where computing is real, that is told before; where it is paced, meanwhile.
Result<void> Session::compute_expert(const Step& step, ExpertId expert) {
  const Nanoseconds start = ports_.clock.now();
  if (ports_.source.info().is_live) {
    const Nanoseconds idle_until =
        all_here() ? start + expert_time_ * int64_t(pending_.size() + 1) + thinking_ : Loader::kBusy;
    if (Result<void> pumped = ports_.loader.pump(idle_until); !pumped) {
      return pumped;
    }
  }
  const Nanoseconds end = ports_.compute.expert(step, expert, ports_.loader.bytes(expert), start);
  expert_time_ = end - start;
  const Nanoseconds idle_until = all_here() ? end + expert_time_ * int64_t(pending_.size()) : Loader::kBusy;
  if (Result<void> waited = await(end, idle_until); !waited) {
    return waited;
  }
  report(EventKind::expert, step, start, expert_time_, expert);
  return {};
}

bool Session::all_here() const {
  return std::all_of(pending_.begin(), pending_.end(),
                     [this](ExpertId other) { return ports_.pager.ready(other); });
}

// Pumps until `deadline`; prefetch may use the drive until `idle_until`.
Result<void> Session::await(Nanoseconds deadline, Nanoseconds idle_until) {
  while (ports_.clock.now() < deadline) {
    if (Result<void> pumped = ports_.loader.pump(idle_until); !pumped) {
      return pumped;
    }
    ports_.clock.wait_until(deadline);
  }
  return {};
}

// Takes the first expert in the step's order whose bytes are there.
bool Session::take_ready(ExpertId& expert) {
  const auto ready = std::find_if(pending_.begin(), pending_.end(),
                                  [this](ExpertId candidate) { return ports_.pager.ready(candidate); });
  if (ready == pending_.end()) {
    return false;
  }
  expert = *ready;
  pending_.erase(ready);
  return true;
}

void Session::report(EventKind kind, const Step& step, Nanoseconds start, Nanoseconds duration,
                     ExpertId expert) {
  ports_.observer.on({.kind = kind,
                      .phase = step.phase,
                      .tokens = step.tokens,
                      .expert = expert,
                      .step = step.index,
                      .start = start,
                      .duration = duration});
}

}  // namespace spillway
