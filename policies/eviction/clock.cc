#include "core/plugins.h"
#include "policies/second_chance.h"
#include "policies/undemanded.h"

namespace spillway::eviction {
namespace {

constexpr uint32_t kMostBits = 16;

struct Options {
  uint32_t bits = 1;
  uint32_t initial = 1;

  template <class V>
  void visit(V& v) {
    v("bits", bits, "size of each expert's use count in bits, 1 to 16; 1: used or not");
    v("initial", initial,
      "use count of an expert on arrival; 0: the expert is spared only once it is used again");
  }
};

// A hand goes round the experts, takes one off each count and stops at the first expert whose count is 0
// (Corbató, "A paging experiment with the Multics system", MIT Project MAC memo 384, 1968, with one bit;
// Smith, "Sequentiality and prefetching in database systems", ACM TODS 3(3), 1978, and Nicola, Dan, Dias,
// "Analysis of the generalized clock buffer replacement scheme for database transaction processing",
// SIGMETRICS 1992, with counts). The ring is written as a queue that begins at the hand: an expert that the
// hand passes goes to the back, and so does a new one. The hand waits for held experts and leaves their
// counts alone. Sizes play no part: the hand goes on until there is room.
class Clock final : public EvictionPolicy {
 public:
  Clock(const Options& options, const ModelGeometry& geometry)
      : initial_(options.initial),
        queue_(geometry, 1),
        uses_(geometry.expert_count(), (1U << options.bits) - 1),
        undemanded_(geometry.expert_count()) {}

  void admitted(const Access& access) override {
    choice_.reset();
    undemanded_.admitted(access);
    queue_.move_to_back(access.expert, 0);
    uses_.set_count(access.expert, initial_);
  }

  void touched(const Access& access) override {
    choice_.reset();
    if (!undemanded_.take(access.expert)) {
      uses_.use(access.expert);
    }
  }

  void removed(ExpertId expert) override {
    if (choice_ && choice_->expert == expert) {
      uses_.settle(queue_, 0, *choice_);
    }
    choice_.reset();
    queue_.erase(expert);
  }

  std::optional<ExpertId> victim(const Access&, Evictable may_go) override {
    choice_ = uses_.choose(queue_, 0, may_go);
    return choice_ ? std::optional(choice_->expert) : std::nullopt;
  }

 private:
  uint32_t initial_;
  SizedLists queue_;
  SecondChance uses_;
  Undemanded undemanded_;
  std::optional<SecondChance::Choice> choice_;  // the latest answer, while nothing has happened since
};

Result<std::unique_ptr<EvictionPolicy>> make(const Options& options, const PolicyEnv& env) {
  if (options.bits < 1 || options.bits > kMostBits) {
    return wrong_usage("clock: bits is {} and must be 1 to {}", options.bits, kMostBits);
  }
  const uint32_t most = (1U << options.bits) - 1;
  if (options.initial > most) {
    return wrong_usage("clock: initial is {}, but a count of {} bits goes up to {} only", options.initial,
                       options.bits, most);
  }
  return std::make_unique<Clock>(options, env.source->geometry);
}

}  // namespace

EvictionPlugin clock() {
  return plugin("clock", "a hand goes round and spares the experts used since it last came by", make);
}

}  // namespace spillway::eviction
