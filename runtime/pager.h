#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

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

  std::optional<PagerCommand> next_command();

  void arrived(ExpertId expert);
  void failed(ExpertId expert);

  // True when the expert's bytes are there for the step to compute on.
  bool ready(ExpertId expert) const { return entries_[index_of(expert)].state == State::resident; }

  // The step has no more use for this expert; a bypassed one is dropped at once.
  void used(ExpertId expert);

  // Every expert of the step has been used.
  void end();

  // Counts prefetched experts that were never demanded as wasted; at the end of a run.
  void finish();

  uint64_t resident_bytes() const { return used_bytes_; }

  // From now on appends what this pager is told to `log`, which must outlive it: to find out later why it
  // decided so.
  void keep_log(PagerLog& log) { log_ = &log; }

 private:
  enum class State : uint8_t { absent, loading, resident };

  struct Entry {
    State state = State::absent;
    bool unused_prefetch = false;  // got its place on a hint and was not demanded since
    bool bypass = false;           // not known to the policy, gone after the step
    bool abandoned = false;        // its load is being stopped
    bool hinted = false;           // waits in hints_
    bool held = false;             // belongs to the current step
  };

  Entry& entry(ExpertId expert) { return entries_[index_of(expert)]; }
  bool make_room(const Access& incoming);
  void look_up(const Access& access);
  void admit_demand(const Access& access);
  void drop_stale(uint32_t layer);
  void leave(ExpertId expert, EventKind why);
  void settle_prefetch(bool useful);
  bool prefetching_pays();
  void note(PagerCall::Kind kind, ExpertId expert = ExpertId{});
  void emit(EventKind kind, ExpertId expert);

  const ModelGeometry& geometry_;
  PagerLimits limits_;
  EvictionPolicy& policy_;
  Observer& observer_;
  PagerLog* log_ = nullptr;

  std::vector<Entry> entries_;
  std::vector<ExpertId> held_;     // the current step's experts
  std::vector<Hint> hints_;        // waiting, best first
  std::vector<ExpertId> on_hint_;  // prefetches under way
  std::deque<PagerCommand> commands_;
  uint64_t used_bytes_ = 0;
  uint64_t step_ = 0;
  uint32_t layer_ = 0;
  Phase phase_ = Phase::decode;
  bool in_step_ = false;
  double useful_share_ = 1.0;  // running average over settled prefetches; innocent until proven
  uint32_t steps_without_trial_ = 0;
};

}  // namespace spillway
