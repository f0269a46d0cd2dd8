#include <algorithm>

#include "core/plugins.h"
#include "core/rng.h"
#include "policies/layer_ring.h"

namespace spillway::prefetch {
namespace {

struct Options {
  double precision = 1;
  double recall = 1;
  uint32_t ahead = 1;

  template <class V>
  void visit(V& v) {
    v("precision", precision, "share of the proposals that come true, above 0 to 1");
    v("recall", recall, "share of the experts about to be used that are proposed, 0 to 1");
    v("ahead", ahead, "number of layers before their use at which experts are proposed");
  }
};

// Knows the steps to come and predicts them as badly as it is asked to: what a predictor of that precision,
// recall and lead time would be worth, before anybody has built one. Each expert of the step to come is
// proposed with the probability `recall`. For each proposed expert, a mean of (1 − precision) / precision
// wrong experts of its layer are proposed as well, each wrong one equally likely. Right and wrong proposals
// are mixed, and all have the precision as their confidence: a well calibrated predictor could say no more.
// Where a layer has too few experts to be that wrong, all of them are proposed. The steps of a prompt, which
// may use nearly every expert, are not predicted.
class Oracle final : public Prefetcher {
 public:
  Oracle(const Options& options, const PolicyEnv& env)
      : options_(options),
        geometry_(env.source->geometry),
        future_(env.future->cursor()),
        rng_(env.seed ^ 0x6f7261636c65) {}

  void observe(const Step&) override {}

  void propose(const Step& now, HintList& out) override {
    const uint64_t wanted = now.index + options_.ahead;
    while (!ended_ && (!begun_ || coming_.index < wanted)) {
      const Result<bool> more = future_->next(coming_);
      begun_ = true;
      ended_ = !more.value_or(false);
    }
    if (!ended_ && coming_.index == wanted && coming_.phase == Phase::decode && coming_.tokens == 1) {
      foretell(out);
    }
  }

 private:
  void foretell(HintList& out) {
    told_.clear();
    wrong_.clear();
    for (const ExpertId id : coming_.experts) {
      if (rng_.uniform() < options_.recall) {
        told_.push_back(id);
      }
    }
    for (uint32_t number = 0; number < geometry_.experts_per_layer; ++number) {
      const ExpertId id = geometry_.id(coming_.layer, number);
      if (std::find(coming_.experts.begin(), coming_.experts.end(), id) == coming_.experts.end()) {
        wrong_.push_back(id);
      }
    }
    const double errors = double(told_.size()) * (1 - options_.precision) / options_.precision;
    const size_t certain = size_t(std::min(errors, double(wrong_.size())));
    const size_t count = certain + (rng_.uniform() < errors - double(certain) ? 1 : 0);
    choose(std::min(count, wrong_.size()));
    for (size_t i = told_.size(); i > 1; --i) {
      std::swap(told_[i - 1], told_[rng_.below(i)]);
    }
    for (const ExpertId id : told_) {
      out.push_back({id, float(options_.precision)});
    }
  }

  // Moves `count` of the wrong experts over, each choice equally likely.
  void choose(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      std::swap(wrong_[i], wrong_[i + rng_.below(wrong_.size() - i)]);
      told_.push_back(wrong_[i]);
    }
  }

  Options options_;
  const ModelGeometry& geometry_;
  std::unique_ptr<StepSource> future_;
  Step coming_;  // the step at which future_ stands
  bool begun_ = false;
  bool ended_ = false;
  Rng rng_;
  std::vector<ExpertId> told_;
  std::vector<ExpertId> wrong_;
};

// An oracle that is never wrong and forgets nothing has nothing to leave to chance.
Traits traits(const Options& options) {
  return {.is_random = options.precision < 1 || options.recall < 1, .knows_future = true};
}

Result<std::unique_ptr<Prefetcher>> make(const Options& options, const PolicyEnv& env) {
  if (env.future == nullptr) {
    return wrong_usage(
        "oracle needs steps that are known beforehand: use a trace instead of a running model");
  }
  if (options.precision <= 0 || options.precision > 1) {
    return wrong_usage("oracle: precision={} is not above 0 and at most 1", options.precision);
  }
  if (options.recall > 1) {
    return wrong_usage("oracle: recall={} is not between 0 and 1", options.recall);
  }
  const uint32_t most = LayerRing(env.source->geometry).size();
  if (options.ahead < 1 || options.ahead > most) {
    return wrong_usage("oracle: ahead={} is not between 1 and the model's {} layers", options.ahead, most);
  }
  return std::make_unique<Oracle>(options, env);
}

}  // namespace

PrefetchPlugin oracle() {
  return plugin("oracle", "proposes what the trace will use, with the given precision, recall and lead", make,
                traits);
}

}  // namespace spillway::prefetch
