#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/expects.h"
#include "core/ports.h"
#include "runtime/pager_log.h"

namespace spillway {

struct PagerLimits {
  uint64_t capacity_bytes = 0;        // bytes of experts kept between steps; 0: none are kept
  uint32_t prefetches_under_way = 4;  // most prefetched experts whose loads are under way at one time
  // Prefetching stops while fewer than this share of the recent prefetches turned out useful: an unneeded
  // read costs the drive's time and may evict an expert that is needed.
  double least_useful_share = 0.4;
};

// One command of the pager to the part that moves the bytes. Commands must be obeyed in order.
struct PagerCommand {
  enum class Kind : uint8_t {
    load,   // read the expert; answer with arrived() or failed()
    hurry,  // a prefetch under way is now waited for: continue it as a demand
    // A prefetch under way is no longer useful: answer with failed() if it could be stopped, else arrived().
    abandon,
    drop,  // the expert's memory is free
  };
  Kind kind{};
  bool prefetch = false;
  ExpertId expert{};
};

// The cache of experts as a pure state machine: no clock, no I/O, no threads. Between begin() and end() the
// experts of one step are held; a policy chooses which other experts leave for them. The policy learns of an
// expert when the expert gets its place, not when its bytes arrive. So without prefetch every decision
// follows from the steps alone, whatever the storage does.
//
// First the whole step is held, then its experts are looked up one by one, in the step's order. If no
// room can be made for an expert, because the same step holds all the rest, the expert is read for that
// step only (a bypass).
class Pager {
 public:
  // All references must outlive the pager. `observer` sees the decisions (EventKind up to evict).
  Pager(const ModelGeometry& geometry, const PagerLimits& limits, EvictionPolicy& policy, Observer& observer);

  // Looks up the step's experts and commands the loads of those that are missing. The previous
  // step must have ended.
  void begin(const Step& step);

  // Takes proposals for later steps, best first. A proposal is forgotten when its layer comes up
  // without demanding it.
  void hint(const HintList& hints);

  // Admits the best hint, if prefetching pays and the room and the limits allow it; its commands follow.
  // Returns false if nothing was admitted.
  bool start_prefetch();

  // Hands each command since the last call to `obey`, in order. `obey` must not make the pager
  // issue further commands.
  template <class Obey>
  void take_commands(Obey obey) {
    for (const PagerCommand& command : commands_) {
      obey(command);
    }
    commands_.clear();
  }

  // Takes the answer to a load: the expert's bytes are in memory.
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
  // Takes the answer to the load of a prefetch that will not be completed.
  void failed(ExpertId expert);

  // Returns true if the expert's bytes are in memory, so that the step can compute on them.
  bool ready(ExpertId expert) const { return entries_[index_of(expert)].state == State::resident; }

  // Returns true if all the step's experts are ready.
  bool all_ready() const { return awaited_ == 0; }
  // Returns true if some of the step's experts are not kept: each makes room for others once it is used.
  bool has_bypassed() const { return has_bypassed_; }

  // Ends the step's use of this expert. A bypassed expert is dropped at once.
  void used(ExpertId expert) {
    const Entry done = entries_[index_of(expert)];
    Expects(in_step_ && done.held && done.state == State::resident);
    note(PagerCall::Kind::used, expert);
    if (done.bypass) {
      drop_bypassed(expert);
    }
  }

  // Calls used() for each of the step's experts, all of which must be ready and none bypassed.
  void used_all() {
    Expects(all_ready() && !has_bypassed_);
    if (log_ != nullptr) {
      for (const ExpertId expert : held_) {
        note(PagerCall::Kind::used, expert);
      }
    }
  }

  // Ends the step; every expert must have been used.
  void end();

  // Counts prefetched experts that were never demanded as wasted. Call it at the end of a run.
  void finish();

  uint64_t resident_bytes() const { return used_bytes_; }

  // Returns the share of the recent prefetches that were demanded before they left; 0.6 before
  // the first prefetch.
  double useful_share() const { return useful_share_; }

  // From now on appends all inputs of this pager to `log`, which must outlive it. The log allows to find out
  // later why the pager decided as it did.
  void keep_log(PagerLog& log) { log_ = &log; }

 private:
  enum class State : uint8_t { absent, loading, resident };

  // One byte, so that the table of a large model fits into the first-level cache.
  struct Entry {
    State state : 2 = State::absent;
    bool unused_prefetch : 1 = false;  // got its place on a hint and was not demanded since
    bool bypass : 1 = false;           // unknown to the policy, gone after the step
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
  uint32_t awaited_ = 0;        // those of held_ whose loads are under way
  bool has_bypassed_ = false;
  std::vector<Hint> hints_;        // waiting, best first
  std::vector<ExpertId> on_hint_;  // prefetches under way
  std::vector<PagerCommand> commands_;
  uint64_t used_bytes_ = 0;
  uint64_t step_ = 0;
  uint32_t layer_ = 0;
  uint64_t layer_bytes_ = 0;     // of one expert of the current step
  Phase phase_ = Phase::decode;  // the current step's
  std::vector<Event> decided_;   // during the current call; observers see them when it ends
  bool in_step_ = false;
  double useful_share_ = 0.6;  // running average over settled prefetches; starts high enough for a try
  uint32_t steps_without_trial_ = 0;
};

}  // namespace spillway
