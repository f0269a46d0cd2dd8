#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/rng.h"
#include "policies/list.h"
#include "tests/support/fakes.h"
#include "tests/support/family_files.h"
#include "tests/support/make_plugin.h"
#include "tests/support/step_list.h"

// The helpers that the tests of policies share: a model whose experts have one byte each, streams of steps,
// and the smallest cache that asks a policy for its victims.
namespace spillway {

using test::expect_a_file_for_each;
using test::StepList;

// The access by which a policy is told of an expert that a hint brings in during `step`.
inline Access prefetch_of(ExpertId id, uint64_t step) {
  return {.expert = id, .step = step, .next_use = step, .prefetch = true};
}

struct Lab {
  SourceInfo source;
  StepList future;

  Lab(uint32_t layers, uint32_t experts, uint32_t top_k) {
    source.geometry = {layers, experts, top_k, top_k, std::vector<uint64_t>(layers, 1)};
    source.has_lookahead = true;
    source.has_next_use = true;
  }

  const ModelGeometry& geometry() const { return source.geometry; }
  PolicyEnv env(uint64_t slots, uint64_t seed = 1) const { return {&source, slots, seed, &future}; }

  // Sets the steps that prefetchers find when they ask for the future.
  void foretell(std::vector<Step> steps) { future = StepList(source, std::move(steps)); }

  std::unique_ptr<EvictionPolicy> eviction(const std::string& text, uint64_t slots, uint64_t seed = 1) const {
    auto made = make_plugin(eviction_policies(), text, env(slots, seed));
    EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().message);
    return std::move(*made);
  }

  std::unique_ptr<Prefetcher> prefetcher(const std::string& text) const {
    auto made = make_plugin(prefetchers(), text, env(0));
    EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().message);
    return std::move(*made);
  }

  // Returns a decode step of one token.
  Step step(uint64_t index, std::vector<uint32_t> experts) const {
    Step step;
    step.index = index;
    step.pass = index / geometry().layers;
    step.layer = uint32_t(index % geometry().layers);
    for (const uint32_t expert : experts) {
      step.experts.push_back(geometry().id(step.layer, expert));
      step.choices.push_back(uint16_t(expert));
    }
    return step;
  }
};

template <class Port, class Env>
std::vector<std::string> names_of(const Family<Port, Env>& family) {
  std::vector<std::string> names;
  for (const Plugin<Port, Env>& plugin : family) {
    names.push_back(plugin.name);
  }
  return names;
}

// Turns a plug-in's name into a test's: `layer-lru` becomes `layer_lru`.
inline std::string test_name(const testing::TestParamInfo<std::string>& parameter) {
  std::string name = parameter.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// Writes the next uses into `steps`, from the last step to the first.
inline void annotate_next_use(const ModelGeometry& geometry, std::vector<Step>& steps) {
  std::vector<uint64_t> next(geometry.expert_count(), kNeverUsedAgain);
  for (size_t i = steps.size(); i-- > 0;) {
    steps[i].next_use.clear();
    for (const ExpertId id : steps[i].experts) {
      steps[i].next_use.push_back(next[index_of(id)]);
    }
    for (const ExpertId id : steps[i].experts) {
      next[index_of(id)] = steps[i].index;
    }
  }
}

// Makes one token after another through all layers, each with top_k distinct experts, low numbers more often.
inline std::vector<Step> random_steps(const Lab& lab, size_t count, Rng& rng) {
  const ModelGeometry& geometry = lab.geometry();
  const auto tokens = uint32_t((count + geometry.layers - 1) / geometry.layers);
  std::vector<Step> steps = fake::make_steps(geometry, 0, tokens, [&](uint32_t) {
    std::vector<uint16_t> experts;
    while (experts.size() < geometry.top_k) {
      const uint64_t bound = 1 + rng.below(geometry.experts_per_layer);
      const auto expert = uint16_t(rng.below(bound));
      if (std::find(experts.begin(), experts.end(), expert) == experts.end()) {
        experts.push_back(expert);
      }
    }
    return experts;
  });
  steps.resize(count);
  annotate_next_use(geometry, steps);
  return steps;
}

// Makes the classic page-reference string: one layer, one page a step.
inline std::vector<Step> page_references(const Lab& lab, const std::vector<uint32_t>& pages) {
  std::vector<Step> steps;
  for (const uint32_t page : pages) {
    steps.push_back(lab.step(steps.size(), {page}));
  }
  annotate_next_use(lab.geometry(), steps);
  return steps;
}

// A cache without prefetch, of `slots` bytes, which is the number of experts if each has one byte. The
// experts of a step are held until its end.
class SlotCache {
 public:
  SlotCache(const Lab& lab, EvictionPolicy& policy, uint64_t slots)
      : geometry_(lab.geometry()),
        policy_(policy),
        slots_(slots),
        resident_(lab.geometry().expert_count(), false) {}

  void run(const std::vector<Step>& steps) {
    for (const Step& step : steps) {
      run(step);
    }
  }

  void run(const Step& step) {
    const auto held = [&](ExpertId id) {
      return std::find(step.experts.begin(), step.experts.end(), id) != step.experts.end();
    };
    const auto may_go = [&](ExpertId id) { return resident_[index_of(id)] && !held(id); };
    for (size_t i = 0; i < step.experts.size(); ++i) {
      const ExpertId id = step.experts[i];
      const Access access{id, step.index, step.next_use.empty() ? kNeverUsedAgain : step.next_use[i]};
      if (resident_[index_of(id)]) {
        ++hits;
        policy_.touched(access);
        continue;
      }
      ++misses;
      while (used_ + geometry_.bytes_of(id) > slots_) {
        const std::optional<ExpertId> victim = policy_.victim(access, may_go);
        ASSERT_TRUE(victim.has_value());
        ASSERT_TRUE(may_go(*victim));
        policy_.removed(*victim);
        resident_[index_of(*victim)] = false;
        victims.push_back(*victim);
        used_ -= geometry_.bytes_of(*victim);
      }
      policy_.admitted(access);
      resident_[index_of(id)] = true;
      used_ += geometry_.bytes_of(id);
    }
  }

  size_t hits = 0;
  size_t misses = 0;
  std::vector<ExpertId> victims;  // in order

 private:
  const ModelGeometry& geometry_;
  EvictionPolicy& policy_;
  uint64_t slots_;
  uint64_t used_ = 0;
  std::vector<bool> resident_;
};

}  // namespace spillway
