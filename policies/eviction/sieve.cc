#include "core/plugins.h"
#include "policies/id_lists.h"
#include "policies/undemanded.h"

namespace spillway::eviction {
namespace {

// A clock whose survivors stay where they are (Zhang et al., "SIEVE is simpler than LRU", NSDI 2024,
// algorithm 1). The hand goes from the oldest expert to the newest and begins again. It clears the mark of
// each expert that was used since it last came by, and stops at the first without a mark. Arrivals queue up
// behind the newest. The survivors behind the hand therefore stay apart from experts that have yet to prove
// themselves. Held experts are stepped over and keep their marks. Sizes play no part: the hand goes on
// until there is room.
class Sieve final : public EvictionPolicy {
 public:
  explicit Sieve(const ModelGeometry& geometry)
      : by_arrival_(geometry.expert_count()),
        visited_(geometry.expert_count(), false),
        undemanded_(geometry.expert_count()) {
    passed_.reserve(geometry.expert_count());
  }

  void admitted(const Access& access) override {
    choice_.reset();
    undemanded_.admitted(access);
    by_arrival_.push_back(access.expert);
    visited_[index_of(access.expert)] = false;
  }

  void touched(const Access& access) override {
    choice_.reset();
    if (!undemanded_.take(access.expert)) {
      visited_[index_of(access.expert)] = true;
    }
  }

  void removed(ExpertId expert) override {
    if (choice_ == expert) {
      for (const ExpertId id : passed_) {
        visited_[index_of(id)] = false;
      }
      hand_ = by_arrival_.next(expert);
    } else if (hand_ == expert) {
      hand_ = by_arrival_.next(expert);
    }
    choice_.reset();
    by_arrival_.erase(expert);
  }

  // Only looks; the marks that the hand clears on its way are cleared when the victim leaves. If every expert
  // has a mark, the first whose mark is cleared is the first found without.
  std::optional<ExpertId> victim(const Access&, Evictable may_go) override {
    passed_.clear();
    choice_.reset();
    std::optional<ExpertId> at = hand_;
    for (uint32_t looks = 0; looks < by_arrival_.size(); ++looks) {
      at = at ? at : by_arrival_.front();
      if (may_go(*at)) {
        if (!visited_[index_of(*at)]) {
          choice_ = at;
          return choice_;
        }
        passed_.push_back(*at);
      }
      at = by_arrival_.next(*at);
    }
    if (!passed_.empty()) {
      choice_ = passed_.front();
    }
    return choice_;
  }

 private:
  IdLists by_arrival_;
  std::vector<bool> visited_;     // by expert: used since the hand last came by
  std::optional<ExpertId> hand_;  // the expert looked at next; nothing: the oldest
  Undemanded undemanded_;
  std::optional<ExpertId> choice_;  // the latest answer, while nothing has happened since
  std::vector<ExpertId> passed_;    // the experts whose marks the hand clears on its way to choice_
};

Result<std::unique_ptr<EvictionPolicy>> make(const NoOptions&, const PolicyEnv& env) {
  return std::make_unique<Sieve>(env.source->geometry);
}

}  // namespace

EvictionPlugin sieve() {
  return plugin("sieve", "a clock whose hand leaves the experts it spares where they are", make);
}

}  // namespace spillway::eviction
