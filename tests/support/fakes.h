#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "core/expects.h"
#include "core/ports.h"
#include "core/rng.h"

// Small, obvious implementations of the ports, for tests of the code that uses them.
namespace spillway::fake {

inline ModelGeometry geometry(std::vector<uint64_t> expert_bytes, uint32_t experts_per_layer,
                              uint32_t top_k) {
  ModelGeometry made;
  made.layers = uint32_t(expert_bytes.size());
  made.experts_per_layer = experts_per_layer;
  made.top_k = made.used_top_k = top_k;
  made.expert_bytes = std::move(expert_bytes);
  return made;
}

// Makes a prefill of `prompt` tokens, then `tokens` decode passes, through all layers. `choose(layer)`
// returns the experts of one token there.
template <class Choose>
std::vector<Step> make_steps(const ModelGeometry& shape, uint32_t prompt, uint32_t tokens, Choose choose) {
  std::vector<bool> seen(shape.experts_per_layer);
  std::vector<Step> steps;
  for (uint32_t pass = 0; pass < tokens + (prompt > 0 ? 1 : 0); ++pass) {
    const bool prefill = prompt > 0 && pass == 0;
    for (uint32_t layer = 0; layer < shape.layers; ++layer) {
      Step step;
      step.index = steps.size();
      step.pass = pass;
      step.layer = layer;
      step.phase = prefill ? Phase::prefill : Phase::decode;
      step.tokens = prefill ? prompt : 1;
      for (uint32_t token = 0; token < step.tokens; ++token) {
        const std::vector<uint16_t> chosen = choose(layer);
        step.choices.insert(step.choices.end(), chosen.begin(), chosen.end());
      }
      collect_distinct(shape, seen, step);
      steps.push_back(std::move(step));
    }
  }
  return steps;
}

// Makes such steps. A choice repeats one of the previous token's in the same layer with probability `reuse`;
// the other choices are uniform.
inline std::vector<Step> random_steps(const ModelGeometry& shape, uint32_t prompt, uint32_t tokens,
                                      double reuse, uint64_t seed) {
  Rng rng(seed);
  std::vector<std::vector<uint16_t>> last(shape.layers);
  return make_steps(shape, prompt, tokens, [&](uint32_t layer) {
    std::vector<uint16_t> chosen;
    while (chosen.size() < shape.used_top_k) {
      const bool repeat = chosen.size() < last[layer].size() && rng.uniform() < reuse;
      const uint16_t expert =
          repeat ? last[layer][chosen.size()] : uint16_t(rng.below(shape.experts_per_layer));
      if (std::find(chosen.begin(), chosen.end(), expert) == chosen.end()) {
        chosen.push_back(expert);
      } else if (repeat) {
        last[layer].clear();
      }
    }
    return last[layer] = chosen;
  });
}

// Evicts the expert that was admitted or touched least recently, found by looking at all experts.
class SlowLru final : public EvictionPolicy {
 public:
  void admitted(const Access& access) override { stamps_[access.expert] = ++now_; }
  void touched(const Access& access) override { stamps_.at(access.expert) = ++now_; }
  void removed(ExpertId expert) override { Expects(stamps_.erase(expert) == 1); }
  std::optional<ExpertId> victim(const Access&, Evictable may_go) override {
    std::optional<ExpertId> oldest;
    for (const auto& [expert, stamp] : stamps_) {
      if (may_go(expert) && (!oldest || stamp < stamps_.at(*oldest))) {
        oldest = expert;
      }
    }
    return oldest;
  }

 private:
  std::map<ExpertId, uint64_t> stamps_;
  uint64_t now_ = 0;
};

// Proposes the experts that the next step really uses, a share of them replaced by wrong ones.
class NextStepPrefetch final : public Prefetcher {
 public:
  NextStepPrefetch(std::vector<Step> steps, const ModelGeometry& shape, double accuracy, uint64_t seed)
      : steps_(std::move(steps)), shape_(shape), accuracy_(accuracy), rng_(seed) {}
  void observe(const Step&) override {}
  void propose(const Step& now, HintList& out) override {
    if (now.index + 1 >= steps_.size()) {
      return;
    }
    for (const ExpertId expert : steps_[now.index + 1].experts) {
      const ExpertId wrong =
          shape_.id(shape_.layer_of(expert), uint32_t(rng_.below(shape_.experts_per_layer)));
      out.push_back({rng_.uniform() < accuracy_ ? expert : wrong, float(accuracy_)});
    }
  }

 private:
  std::vector<Step> steps_;
  ModelGeometry shape_;
  double accuracy_;
  Rng rng_;
};

class NoPrefetch final : public Prefetcher {
 public:
  void observe(const Step&) override {}
  void propose(const Step&, HintList&) override {}
};

// Returns a byte that depends on its file and its place there.
inline std::byte byte_at(uint32_t file, uint64_t offset) {
  return std::byte(mix64((uint64_t(file) << 48) ^ offset) & 0xff);
}

// Experts in `ranges` pieces at odd offsets, spread over `files` files.
class PatternStore final : public ExpertStore {
 public:
  PatternStore(ModelGeometry shape, uint32_t ranges, uint32_t files)
      : shape_(std::move(shape)), parts_(ranges) {
    for (uint32_t file = 0; file < files; ++file) {
      names_.push_back("file" + std::to_string(file));
    }
  }
  std::span<const std::string> files() const override { return names_; }
  void ranges(ExpertId id, std::vector<ByteRange>& out) const override {
    const uint64_t bytes = shape_.bytes_of(id);
    for (uint32_t part = 0; part < parts_; ++part) {
      const uint64_t begin = bytes * part / parts_;
      const uint64_t end = bytes * (part + 1) / parts_;
      const uint64_t stride = shape_.largest_expert_bytes() + 77;
      out.push_back({(index_of(id) + part) % uint32_t(names_.size()),
                     32 + (index_of(id) * parts_ + part) * stride, end - begin});
    }
  }
  bool can_check() const override { return true; }
  bool check(ExpertId, const ByteRange& range, std::span<const std::byte> data, Check) const override {
    if (data.size() != range.bytes) {
      return false;
    }
    for (uint64_t i = 0; i < data.size(); ++i) {
      if (data[i] != byte_at(range.file, range.offset + i)) {
        return false;
      }
    }
    return true;
  }

 private:
  ModelGeometry shape_;
  uint32_t parts_;
  std::vector<std::string> names_;
};

// Fills the destination with the file's bytes when the completion is asked for, in the order of the requests.
class PatternDrive final : public Backend {
 public:
  PatternDrive(uint32_t depth, uint64_t alignment) {
    caps_.depth = depth;
    caps_.alignment = alignment;
  }
  const BackendCaps& caps() const override { return caps_; }
  Result<void> attach(std::span<std::byte>) override { return {}; }
  size_t submit(std::span<const IoRequest> requests) override {
    const size_t taken = std::min(requests.size(), caps_.depth - in_flight_.size());
    in_flight_.insert(in_flight_.end(), requests.begin(), requests.begin() + std::ptrdiff_t(taken));
    return taken;
  }
  size_t reap(std::span<IoDone> out, size_t at_least) override {
    Expects(at_least <= std::min(out.size(), in_flight_.size()));
    const size_t count = std::min(out.size(), in_flight_.size());
    for (size_t i = 0; i < count; ++i) {
      const auto& [tag, range, destination] = in_flight_[i];
      for (uint64_t at = 0; at < range.bytes; ++at) {
        destination[at] = byte_at(range.file, range.offset + at);
      }
      out[i] = {tag, 0, destination};
    }
    in_flight_.erase(in_flight_.begin(), in_flight_.begin() + std::ptrdiff_t(count));
    return count;
  }

 private:
  BackendCaps caps_;
  std::deque<IoRequest> in_flight_;
};

// A clock that advances by a microsecond at each look.
class TickClock final : public Clock {
 public:
  Nanoseconds now() const override { return now_ += Nanoseconds(1000); }
  void wait_until(Nanoseconds deadline) override { now_ = std::min(deadline, now_ + Nanoseconds(50'000)); }

 private:
  mutable Nanoseconds now_{0};
};

// Takes a fixed time and checks that the given bytes are the expert's.
class CheckingCompute final : public Compute {
 public:
  CheckingCompute(const ExpertStore& store, Nanoseconds per_expert)
      : store_(store), per_expert_(per_expert) {}
  Nanoseconds attention(const Step&, Nanoseconds now) override { return now + per_expert_; }
  Nanoseconds expert(const Step&, ExpertId id, ExpertBytes bytes, Nanoseconds now) override {
    std::vector<ByteRange> ranges;
    store_.ranges(id, ranges);
    bool right = bytes.size() == ranges.size();
    for (size_t i = 0; right && i < ranges.size(); ++i) {
      right = store_.check(id, ranges[i], bytes[i], ExpertStore::Check::all);
    }
    wrong += right ? 0 : 1;
    ++computed;
    return now + per_expert_;
  }

  uint64_t computed = 0;
  uint64_t wrong = 0;

 private:
  const ExpertStore& store_;
  Nanoseconds per_expert_;
};

class EventLog final : public Observer {
 public:
  void on(const Event& event) override { events.push_back(event); }
  size_t count(EventKind kind) const {
    return size_t(
        std::count_if(events.begin(), events.end(), [&](const Event& event) { return event.kind == kind; }));
  }

  std::vector<Event> events;
};

}  // namespace spillway::fake
