#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/expects.h"
#include "core/ports.h"
#include "runtime/pager_log.h"

namespace spillway {

struct PagerLimits {
  uint64_t capacity_bytes = 0;        // experts kept between steps; 0: none are
  uint32_t prefetches_under_way = 4;  // experts that may be on their way on a hint at one time
  // Prefetching stops while fewer than this share of the recent prefetches turned out useful: a read that
  // nobody wanted costs the drive's time and evicts what somebody might have.
  double least_useful_share = 0.4;
};

// What the pager asks of whoever moves the bytes, to be obeyed in order.
struct PagerCommand {
  enum class Kind : uint8_t {
    load,     // read the expert; answer with arrived(), or failed()
    hurry,    // a prefetch under way is now waited for: go on with it as with any demand
    abandon,  // a prefetch under way is of no use any more: answer with failed() if it could be stopped, else
              // arrived()
    drop,     // the expert's memory is free
  };
  Kind kind{};
  bool prefetch = false;
  ExpertId expert{};
};

// The cache of experts as a pure state machine: no clock, no I/O, no threads. Between begin() and end() the
// experts of one step are held; a policy chooses what leaves for them. The policy is told of an expert when
// it gets its place, not when its bytes arrive, so without prefetch every decision follows from the steps
// alone, whatever the storage does.
//
// The whole step is held before its first expert is looked up, then they are looked up one by one in the
// step's order. An expert for which no room can be made, because all the rest is held by the same step, is
// read for that step only (a bypass).
class Pager {
 public:
  // All references must outlive the pager. `observer` sees the decisions (EventKind up to evict).
  Pager(const ModelGeometry& geometry, const PagerLimits& limits, EvictionPolicy& policy, Observer& observer);

  // Looks up the step's experts and asks for those that are missing. The one before must have ended.
  void begin(const Step& step);

  // Proposals for later steps, best first; those whose layer comes up without wanting them are forgotten.
  void hint(const HintList& hints);

  // Admits the best hint, if there is one worth it and room and the limits allow; its commands follow.
  bool start_prefetch();

  // Hands everything asked for since the last time to `obey`, in order, which must not make the pager ask for
  // more.
  template <class Obey>
  void take_commands(Obey obey) {
    for (const PagerCommand& command : commands_) {
      obey(command);
    }
    commands_.clear();
  }

  void arrived(ExpertId expert) {
    Entry& here = entry(expert);
    Expects(here.state == State::loading);
    note(PagerCall::Kind::arrived, expert);
    here.state = State::resident;
    awaited_ -= here.held ? 1 : 0;
    here.abandoned = false;
    if (!on_hint_.empty()) {
      std::erase(on_hint_, expert);
    }
  }
  void failed(ExpertId expert);

  // True when the expert's bytes are there for the step to compute on.
  bool ready(ExpertId expert) const { return entries_[index_of(expert)].state == State::resident; }

  // True when those of all the step's experts are.
  bool all_ready() const { return awaited_ == 0; }
  // Some of them are not kept: once they are used there is room for others.
  bool has_bypassed() const { return has_bypassed_; }

  // The step has no more use for this expert; a bypassed one is dropped at once.
  void used(ExpertId expert) {
    const Entry done = entries_[index_of(expert)];
    Expects(in_step_ && done.held && done.state == State::resident);
    note(PagerCall::Kind::used, expert);
    if (done.bypass) {
      drop_bypassed(expert);
    }
  }

  // As used() for each of the step's experts, all of which are there and none bypassed.
  void used_all() {
    Expects(all_ready() && !has_bypassed_);
    if (log_ != nullptr) {
      for (const ExpertId expert : held_) {
        note(PagerCall::Kind::used, expert);
      }
    }
  }

  // Every expert of the step has been used.
  void end();

  // Counts prefetched experts that were never demanded as wasted; at the end of a run.
  void finish();

  uint64_t resident_bytes() const { return used_bytes_; }

  // Of the recent prefetches, the share that were demanded before they left; 0.6 as long as there were none.
  double useful_share() const { return useful_share_; }

  // From now on appends what this pager is told to `log`, which must outlive it: to find out later why it
  // decided so.
  void keep_log(PagerLog& log) { log_ = &log; }

 private:
  enum class State : uint8_t { absent, loading, resident };

  // One byte, so that the table of a large model fits the first-level cache.
  struct Entry {
    State state : 2 = State::absent;
    bool unused_prefetch : 1 = false;  // got its place on a hint and was not demanded since
    bool bypass : 1 = false;           // not known to the policy, gone after the step
    bool abandoned : 1 = false;        // its load is being stopped
    bool hinted : 1 = false;           // waits in hints_
    bool held : 1 = false;             // belongs to the current step
  };

  Entry& entry(ExpertId expert) { return entries_[index_of(expert)]; }
  bool make_room(const Access& incoming, uint64_t bytes);
  void look_up(const Access& access);
  void admit_demand(const Access& access);
  void drop_stale(uint32_t layer);
  void leave(ExpertId expert, EventKind why);
  void settle_prefetch(bool useful);
  bool prefetching_pays() const;
  void drop_bypassed(ExpertId expert);
  void emit(EventKind kind, ExpertId expert, uint64_t bytes) {
    decided_.push_back({.kind = kind, .phase = phase_, .expert = expert, .step = step_, .bytes = bytes});
  }
  void tell_decided();
  void note(PagerCall::Kind kind, ExpertId expert = ExpertId{}) {
    if (log_ != nullptr) {
      log_->emplace_back(PagerCall{kind, expert});
    }
  }

  const ModelGeometry& geometry_;
  PagerLimits limits_;
  EvictionPolicy& policy_;
  Observer& observer_;
  PagerLog* log_ = nullptr;

  std::vector<Entry> entries_;
  std::vector<ExpertId> held_;  // the current step's experts
  uint32_t awaited_ = 0;        // of which so many are on their way
  bool has_bypassed_ = false;
  std::vector<Hint> hints_;        // waiting, best first
  std::vector<ExpertId> on_hint_;  // prefetches under way
  std::vector<PagerCommand> commands_;
  uint64_t used_bytes_ = 0;
  uint64_t step_ = 0;
  uint32_t layer_ = 0;
  uint64_t layer_bytes_ = 0;     // of one expert of the current step
  Phase phase_ = Phase::decode;  // the current step's
  std::vector<Event> decided_;   // by the call under way, until its end: observers are told once a call
  bool in_step_ = false;
  double useful_share_ = 0.6;  // running average over settled prefetches; at first: worth a try
  uint32_t steps_without_trial_ = 0;
};

}  // namespace spillway
