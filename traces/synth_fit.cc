#include <algorithm>
#include <cmath>
#include <numeric>

#include "traces/synth.h"

// Models are fitted by trial: a trace is made and measured, and the model is moved towards the target. The
// trials have seeds of their own, so a fit depends only on its inputs.
namespace spillway {
namespace {

constexpr int kRounds = 24;
constexpr uint64_t kTrialChoices = 400'000;  // enough to know a share of reuse to about 0.1 points
constexpr double kMostCopied = 0.95;

struct Target {
  ReuseProfile reuse{};
  std::array<bool, kOctaves> wanted{};  // the octaves to be matched; the others get no copies
  double choices_per_layer = 0;         // of the original trace: its length deals the deck once; 0: no deck
  std::vector<std::vector<double>> popularity;  // share of the choices per layer; empty: not fitted
};

StatsCollector try_out(const ModelGeometry& geometry, const RouterModel& model, int round) {
  const uint64_t per_token = uint64_t(geometry.layers) * geometry.used_top_k;
  const uint64_t tokens = std::clamp<uint64_t>(kTrialChoices / per_token, 4 * kMaxLag, 1U << 14);
  SynthSource source(geometry, model, 0, tokens, uint64_t(round));
  StatsCollector collector(geometry);
  Step step;
  while (*source.next(step)) {
    collector.observe(step);
  }
  return collector;
}

void move_copies(const Target& target, const ReuseProfile& measured, RouterModel& model) {
  for (size_t i = 0; i < kOctaves; ++i) {
    if (target.wanted[i]) {
      model.copy[i] = std::max(0.0, model.copy[i] + 0.8 * (target.reuse[i] - measured[i]));
    }
  }
  if (const double total = model.copy_total(); total > kMostCopied) {
    for (double& share : model.copy) {
      share *= kMostCopied / total;
    }
  }
}

// Raises the odds of favourites, since a token chooses no expert twice: favourites are chosen less often
// than their odds say.
void move_popularity(const Target& target, const StatsCollector& trial, RouterModel& model) {
  for (uint32_t layer = 0; layer < target.popularity.size(); ++layer) {
    const std::vector<uint64_t> counts = trial.popularity(layer);
    double total = 0;
    for (const uint64_t count : counts) {
      total += double(count);
    }
    for (size_t expert = 0; expert < counts.size(); ++expert) {
      const double wanted = target.popularity[layer][expert];
      const double got = (double(counts[expert]) + 1) / (total + double(counts.size()));
      if (wanted > 0) {
        model.popularity[layer][expert] *= std::pow(wanted / got, 0.5);
      }
    }
  }
}

// Returns the best of kRounds trials. `error` becomes the largest deviation of its octaves.
RouterModel fit(const ModelGeometry& geometry, const Target& target, RouterModel model, double& error) {
  RouterModel best = model;
  error = 1;
  for (int round = 0; round < kRounds; ++round) {
    const StatsCollector trial = try_out(geometry, model, round);
    const ReuseProfile measured = octave_means(trial.finish().reuse);
    double off = 0;
    for (size_t i = 0; i < kOctaves; ++i) {
      off = std::max(off, target.wanted[i] ? std::abs(target.reuse[i] - measured[i]) : 0);
    }
    // Popularity settles during the first half; only later trials are alike in it and can be compared.
    if (round == 0 || off < error || round == kRounds / 2) {
      error = off;
      best = model;
    }
    move_copies(target, measured, model);
    if (target.choices_per_layer != 0) {
      model.deck = std::max(1U, uint32_t(target.choices_per_layer * (1 - model.copy_total())));
    }
    if (round < kRounds / 2) {
      move_popularity(target, trial, model);
    }
  }
  return best;
}

std::vector<double> zipf_odds(uint32_t experts, double skew, Rng& rng) {
  std::vector<double> odds(experts);
  for (uint32_t rank = 0; rank < experts; ++rank) {
    odds[rank] = std::pow(double(rank) + 1, -skew);
  }
  for (uint32_t i = experts; i > 1; --i) {
    std::swap(odds[i - 1], odds[rng.below(i)]);
  }
  return odds;
}

}  // namespace

ReuseProfile octave_means(const std::array<double, kMaxLag>& reuse) {
  ReuseProfile means{};
  for (size_t octave = 0; octave < kOctaves; ++octave) {
    const size_t last = size_t(1) << octave;
    const size_t first = last / 2 + 1;
    for (size_t lag = first; lag <= last; ++lag) {
      means[octave] += reuse[lag - 1] / double(last - first + 1);
    }
  }
  return means;
}

Result<RouterModel> make_router_model(const ModelGeometry& geometry, double skew, double reuse,
                                      uint64_t seed) {
  RouterModel model;
  Rng rng(seed);
  for (uint32_t layer = 0; layer < geometry.layers; ++layer) {
    model.popularity.push_back(zipf_odds(geometry.experts_per_layer, skew, rng));
  }
  const double by_popularity = try_out(geometry, model, 0).finish().reuse.front();
  Target target;
  target.reuse[0] = reuse;
  target.wanted[0] = true;
  double error = 0;
  model = fit(geometry, target, std::move(model), error);
  if (error > 0.01) {
    return wrong_usage(
        "reuse {:.3f} is not possible at skew {}: popularity alone gives {:.3f}, copies at most {:.3f}",
        reuse, skew, by_popularity, reuse > by_popularity ? reuse - error : 1.0);
  }
  return model;
}

Result<RouterModel> fit_router_model(const ModelGeometry& geometry, const StatsCollector& observed) {
  const TraceStats stats = observed.finish();
  Target target;
  target.reuse = octave_means(stats.reuse);
  RouterModel model;
  for (uint32_t layer = 0; layer < geometry.layers; ++layer) {
    const std::vector<uint64_t> counts = observed.popularity(layer);
    const auto uses = double(std::accumulate(counts.begin(), counts.end(), uint64_t(0)));
    if (geometry.expert_bytes[layer] == 0) {
      model.popularity.emplace_back();
      target.popularity.emplace_back();
      continue;
    }
    if (uses == 0) {
      return failed("layer {} has experts, but the trace has no steps of it to fit the model to", layer);
    }
    std::vector<double> shares(counts.size());
    std::transform(counts.begin(), counts.end(), shares.begin(),
                   [&](uint64_t count) { return double(count) / uses; });
    model.popularity.push_back(shares);
    target.popularity.push_back(std::move(shares));
  }
  const auto layers = double(std::count_if(geometry.expert_bytes.begin(), geometry.expert_bytes.end(),
                                           [](uint64_t bytes) { return bytes != 0; }));
  target.choices_per_layer = std::min(double(stats.choices) / layers, 1e6);
  model.deck = uint32_t(target.choices_per_layer);
  for (size_t octave = 0; octave < kOctaves; ++octave) {
    // An octave beyond the length of the trace has no reuse to match.
    target.wanted[octave] = target.reuse[octave] > 0;
  }
  double error = 0;
  return fit(geometry, target, std::move(model), error);
}

}  // namespace spillway
