#include "runtime/pager.h"

#include <algorithm>

namespace spillway {
namespace {

constexpr size_t kMostHints = 256;
// The share of useful prefetches is averaged over about this many of them.
constexpr double kShareMemory = 32;
// While prefetching does not pay, one prefetch in this many steps tests whether that has changed.
constexpr uint32_t kTrialEvery = 64;

}  // namespace

Pager::Pager(const ModelGeometry& geometry, const PagerLimits& limits, EvictionPolicy& policy,
             Observer& observer)
    : geometry_(geometry),
      limits_(limits),
      policy_(policy),
      observer_(observer),
      entries_(geometry.expert_count()) {}

void Pager::begin(const Step& step) {
  Expects(!in_step_ && step.layer < geometry_.layers);
  if (log_ != nullptr) {
    log_->emplace_back(step);
  }
  in_step_ = true;
  has_bypassed_ = false;
  step_ = step.index;
  layer_ = step.layer;
  phase_ = step.phase;
  layer_bytes_ = geometry_.expert_bytes[layer_];
  held_.assign(step.experts.begin(), step.experts.end());
  const uint32_t first = index_of(geometry_.id(layer_, 0));
  for (const ExpertId expert : held_) {
    Expects(index_of(expert) - first < geometry_.experts_per_layer && !entry(expert).held);
    entry(expert).held = true;
  }
  if (!hints_.empty() || !on_hint_.empty()) {
    drop_stale(layer_);
  }

  const bool annotated = step.next_use.size() == held_.size();
  for (size_t i = 0; i < held_.size(); ++i) {
    look_up({held_[i], step_, annotated ? step.next_use[i] : kNeverUsedAgain});
  }
  tell_decided();
}

void Pager::look_up(const Access& access) {
  Entry& found = entry(access.expert);
  if (found.state == State::absent) {
    ++awaited_;
    emit(EventKind::miss, access.expert, layer_bytes_);
    admit_demand(access);
    return;
  }
  const bool late = found.state == State::loading;
  emit(late ? EventKind::late : EventKind::hit, access.expert, layer_bytes_);
  if (late) {
    ++awaited_;
    found.abandoned = false;
    std::erase(on_hint_, access.expert);
    commands_.push_back({PagerCommand::Kind::hurry, false, access.expert});
  }
  if (found.unused_prefetch) {
    found.unused_prefetch = false;
    settle_prefetch(true);
    if (!late) {
      emit(EventKind::prefetch_used, access.expert, layer_bytes_);
    }
  }
  policy_.touched(access);
}

void Pager::admit_demand(const Access& access) {
  Entry& missed = entry(access.expert);
  missed.state = State::loading;
  missed.bypass = !make_room(access, layer_bytes_);
  if (missed.bypass) {
    has_bypassed_ = true;
    emit(EventKind::bypass, access.expert, layer_bytes_);
  } else {
    used_bytes_ += layer_bytes_;
    policy_.admitted(access);
    emit(EventKind::admit, access.expert, layer_bytes_);
  }
  commands_.push_back({PagerCommand::Kind::load, false, access.expert});
}

bool Pager::make_room(const Access& incoming, uint64_t bytes) {
  if (bytes > limits_.capacity_bytes) {
    return false;
  }
  const auto may_go = [this](ExpertId expert) {
    const Entry& candidate = entries_[index_of(expert)];
    return candidate.state == State::resident && !candidate.held;
  };
  while (used_bytes_ + bytes > limits_.capacity_bytes) {
    const std::optional<ExpertId> victim = policy_.victim(incoming, may_go);
    if (!victim) {
      return false;
    }
    Expects(may_go(*victim));
    leave(*victim, EventKind::evict);
    commands_.push_back({PagerCommand::Kind::drop, false, *victim});
  }
  return true;
}

void Pager::leave(ExpertId expert, EventKind why) {
  Entry& leaving = entry(expert);
  const uint64_t bytes = geometry_.bytes_of(expert);
  if (leaving.unused_prefetch) {
    settle_prefetch(false);
    emit(EventKind::prefetch_wasted, expert, bytes);
  }
  used_bytes_ -= bytes;
  leaving = Entry{.hinted = leaving.hinted, .held = leaving.held};
  policy_.removed(expert);
  emit(why, expert, bytes);
}

void Pager::drop_stale(uint32_t layer) {
  std::erase_if(hints_, [&](const Hint& hint) {
    const bool stale = geometry_.layer_of(hint.expert) == layer;
    if (stale) {
      entry(hint.expert).hinted = false;
    }
    return stale;
  });
  for (const ExpertId expert : on_hint_) {
    Entry& under_way = entry(expert);
    if (geometry_.layer_of(expert) == layer && !under_way.held && !under_way.abandoned) {
      under_way.abandoned = true;
      commands_.push_back({PagerCommand::Kind::abandon, true, expert});
    }
  }
}

void Pager::hint(const HintList& hints) {
  if (log_ != nullptr) {
    log_->emplace_back(hints);
  }
  for (const Hint& hint : hints) {
    Entry& proposed = entry(hint.expert);
    if (proposed.state == State::absent && !proposed.hinted && hints_.size() < kMostHints) {
      proposed.hinted = true;
      hints_.push_back(hint);
    }
  }
}

bool Pager::prefetching_pays() const {
  if (useful_share_ >= limits_.least_useful_share) {
    return true;
  }
  return steps_without_trial_ >= kTrialEvery;
}

bool Pager::start_prefetch() {
  note(PagerCall::Kind::start_prefetch);
  if (on_hint_.size() >= limits_.prefetches_under_way || hints_.empty() || !prefetching_pays()) {
    return false;
  }
  // The hint whose layer comes up first goes first; within a layer the prefetcher's order stands.
  const auto steps_ahead = [this](const Hint& hint) {
    return (geometry_.layer_of(hint.expert) + geometry_.layers - layer_ - 1) % geometry_.layers;
  };
  const auto next = std::min_element(hints_.begin(), hints_.end(), [&](const Hint& a, const Hint& b) {
    return steps_ahead(a) < steps_ahead(b);
  });
  const ExpertId expert = next->expert;
  hints_.erase(next);
  const uint64_t bytes = geometry_.bytes_of(expert);
  Entry& hinted = entry(expert);
  hinted.hinted = false;
  Expects(hinted.state == State::absent);  // looking up an expert first forgets the hints of its layer
  const Access hint{.expert = expert, .step = step_, .next_use = step_, .prefetch = true};
  if (!make_room(hint, bytes)) {
    tell_decided();  // evictions made before it was clear that the room would not suffice
    return false;
  }
  if (useful_share_ < limits_.least_useful_share) {
    steps_without_trial_ = 0;
  }
  hinted.state = State::loading;
  hinted.unused_prefetch = true;
  used_bytes_ += bytes;
  on_hint_.push_back(expert);
  policy_.admitted(hint);
  emit(EventKind::prefetch, expert, bytes);
  commands_.push_back({PagerCommand::Kind::load, true, expert});
  tell_decided();
  return true;
}

void Pager::failed(ExpertId expert) {
  Entry& lost = entry(expert);
  Expects(lost.state == State::loading && !lost.held && !lost.bypass);
  note(PagerCall::Kind::failed, expert);
  std::erase(on_hint_, expert);
  leave(expert, EventKind::evict);
  tell_decided();
}

void Pager::drop_bypassed(ExpertId expert) {
  entry(expert) = Entry{.held = true};
  commands_.push_back({PagerCommand::Kind::drop, false, expert});
}

void Pager::end() {
  Expects(in_step_ && all_ready());
  note(PagerCall::Kind::end);
  for (const ExpertId expert : held_) {
    entry(expert).held = false;
  }
  held_.clear();
  in_step_ = false;
  ++steps_without_trial_;
}

void Pager::finish() {
  Expects(!in_step_);
  note(PagerCall::Kind::finish);
  for (uint32_t index = 0; index < entries_.size(); ++index) {
    if (entries_[index].unused_prefetch) {
      entries_[index].unused_prefetch = false;
      emit(EventKind::prefetch_wasted, ExpertId{index}, geometry_.bytes_of(ExpertId{index}));
    }
  }
  tell_decided();
}

void Pager::settle_prefetch(bool useful) {
  useful_share_ += ((useful ? 1.0 : 0.0) - useful_share_) / kShareMemory;
}

void Pager::tell_decided() {
  if (!decided_.empty()) {
    observer_.on_all(decided_);
    decided_.clear();
  }
}

}  // namespace spillway
