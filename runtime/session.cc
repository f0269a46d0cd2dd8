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
    const Result<bool> more = pump_->take(ports_.source, step);
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

Result<void> Session::run_step(const Step& step, Nanoseconds began) {
  const Nanoseconds routed = ports_.compute.attention(step, began);
  if (routed > began) {
    if (Result<void> waited = await(routed, routed); !waited) {
      return waited;
    }
    report(EventKind::attention, step, began, routed - began);
  }
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
  order_.assign(step.experts.begin(), step.experts.end());
  computed_ = 0;
  if (Result<void> sent = pump_->send_demands(); !sent) {
    return sent;
  }
  const Nanoseconds under_way = ports_.clock.now();
  const Nanoseconds shared = ports_.compute.shared_expert(step, under_way);
  if (shared > under_way) {
    if (Result<void> waited = await(shared, Loader::kBusy); !waited) {
      return waited;
    }
    report(EventKind::shared_expert, step, under_way, shared - under_way);
  }
  return ports_.compute.skips_experts() ? await_experts(step) : compute_experts(step);
}

// Waits for the step's experts when nothing is computed: each expert has been used once it is there.
Result<void> Session::await_experts(const Step& step) {
  while (!ports_.pager.all_ready()) {
    if (ports_.pager.has_bypassed()) {
      use_what_is_here();
    }
    if (Result<void> waited = stall(step); !waited) {
      return waited;
    }
  }
  if (ports_.pager.has_bypassed()) {
    use_what_is_here();
  } else {
    ports_.pager.used_all();
  }
  return {};
}

void Session::use_what_is_here() {
  std::erase_if(order_, [this](ExpertId expert) {
    const bool here = ports_.pager.ready(expert);
    if (here) {
      ports_.pager.used(expert);
    }
    return here;
  });
}

Result<void> Session::compute_experts(const Step& step) {
  while (left() > 0) {
    if (choose_ready()) {
      const ExpertId expert = order_[computed_++];
      if (Result<void> computed = compute_expert(step, expert); !computed) {
        return computed;
      }
      ports_.pager.used(expert);
    } else if (Result<void> waited = stall(step); !waited) {
      return waited;
    }
  }
  return {};
}

Result<void> Session::stall(const Step& step) {
  const Nanoseconds start = ports_.clock.now();
  // If computing takes no time, waking up for each expert gains nothing and costs a context switch.
  const Loader::Until until =
      expert_time_.count() == 0 ? Loader::Until::last_expert : Loader::Until::first_expert;
  Result<void> waited = ports_.loader.wait(until);
  if (waited) {
    report(EventKind::stall, step, start, ports_.clock.now() - start);
  }
  return waited;
}

// Computes one expert. Once the step's last bytes have arrived, the drive is idle until the remaining experts
// are computed, and prefetch may use it.
Result<void> Session::compute_expert(const Step& step, ExpertId expert) {
  const Nanoseconds start = ports_.clock.now();
  const auto idle_until_then = [&] {
    return all_here() ? start + expert_time_ * int64_t(left() + 1) : Loader::kBusy;
  };
  if (Result<void> pumped = pump_->before_expert(idle_until_then); !pumped) {
    return pumped;
  }
  const Nanoseconds end = ports_.compute.expert(step, expert, ports_.loader.bytes(expert), start);
  expert_time_ = end - start;
  if (end > start) {
    const Nanoseconds idle_until = all_here() ? end + expert_time_ * int64_t(left()) : Loader::kBusy;
    if (Result<void> waited = await(end, idle_until); !waited) {
      return waited;
    }
    report(EventKind::expert, step, start, expert_time_, expert);
  }
  return {};
}

bool Session::all_here() const {
  return std::all_of(order_.begin() + ptrdiff_t(computed_), order_.end(),
                     [this](ExpertId expert) { return ports_.pager.ready(expert); });
}

// Pumps until `deadline`. Prefetch may use the drive until `idle_until`.
Result<void> Session::await(Nanoseconds deadline, Nanoseconds idle_until) {
  while (ports_.clock.now() < deadline) {
    if (Result<void> pumped = ports_.loader.pump(idle_until); !pumped) {
      return pumped;
    }
    ports_.clock.wait_until(deadline);
  }
  return {};
}

// Moves the first expert whose bytes are there, in the step's order, to the front of those not computed yet.
// Returns false if there is none.
bool Session::choose_ready() {
  const auto next = order_.begin() + ptrdiff_t(computed_);
  const auto ready =
      std::find_if(next, order_.end(), [this](ExpertId expert) { return ports_.pager.ready(expert); });
  if (ready == order_.end()) {
    return false;
  }
  std::rotate(next, ready, ready + 1);
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
