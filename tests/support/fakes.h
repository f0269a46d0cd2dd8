#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
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

struct Faults {
  double transient_errors = 0;              // share of requests that fail once with EIO, EINTR or EAGAIN
  double corrupt = 0;                       // share that deliver a wrong byte
  std::optional<uint64_t> bad_offset = {};  // requests that cover it always fail with EIO
  bool out_of_order = false;
  uint32_t delay_polls = 0;  // number of polls that find nothing before a poll that does
};

// Delivers a store's bytes as badly as a drive can. It fills memory only at completion and scribbles over it
// before, so that a test notices code that reads too early.
class FaultBackend final : public Backend {
 public:
  FaultBackend(const Faults& faults, uint32_t depth, uint64_t alignment, uint64_t seed)
      : faults_(faults), rng_(seed) {
    caps_.depth = depth;
    caps_.alignment = alignment;
  }
  const BackendCaps& caps() const override { return caps_; }
  Result<void> attach(std::span<std::byte> memory) override {
    memory_ = memory;
    return {};
  }
  size_t submit(std::span<const IoRequest> requests) override {
    size_t taken = 0;
    for (const IoRequest& request : requests) {
      if (in_flight_.size() == caps_.depth) {
        break;
      }
      Expects(request.range.offset % caps_.alignment == 0 && request.range.bytes % caps_.alignment == 0);
      Expects(request.destination >= memory_.data() &&
              request.destination + request.range.bytes <= memory_.data() + memory_.size());
      std::memset(request.destination, 0xEE, request.range.bytes);
      bits_of_destinations |= uint64_t(request.destination - memory_.data());
      in_flight_.push_back(request);
      ++taken;
    }
    most_in_flight = std::max(most_in_flight, in_flight_.size());
    return taken;
  }
  size_t reap(std::span<IoDone> out, size_t at_least) override {
    Expects(at_least == 0 || !in_flight_.empty());
    if (at_least == 0 && polls_++ < faults_.delay_polls) {
      return 0;
    }
    polls_ = 0;
    Expects(at_least <= in_flight_.size());
    const size_t most = std::min(out.size(), in_flight_.size());
    const size_t count = std::max(at_least, most == 0 ? 0 : 1 + rng_.below(most));
    for (size_t i = 0; i < count; ++i) {
      const size_t pick = faults_.out_of_order ? rng_.below(in_flight_.size()) : 0;
      out[i] = complete(in_flight_[pick]);
      in_flight_.erase(in_flight_.begin() + std::ptrdiff_t(pick));
    }
    return count;
  }

  size_t most_in_flight = 0;
  uint64_t failures = 0;
  uint64_t bits_of_destinations = 0;  // all bits set in any destination's offset in the memory

 private:
  IoDone complete(const IoRequest& request) {
    const ByteRange& range = request.range;
    const bool bad = faults_.bad_offset && *faults_.bad_offset >= range.offset &&
                     *faults_.bad_offset < range.offset + range.bytes;
    const bool first_time = tried_.insert({range.file, range.offset}).second;
    if (bad || (first_time && rng_.uniform() < faults_.transient_errors)) {
      constexpr int kErrors[] = {EIO, EINTR, EAGAIN};
      ++failures;
      return {request.tag, bad ? EIO : kErrors[rng_.below(3)], nullptr};
    }
    for (uint64_t i = 0; i < range.bytes; ++i) {
      request.destination[i] = byte_at(range.file, range.offset + i);
    }
    if (rng_.uniform() < faults_.corrupt) {
      request.destination[range.bytes / 2] ^= std::byte(1);
    }
    return {request.tag, 0, request.destination};
  }

  Faults faults_;
  Rng rng_;
  BackendCaps caps_;
  std::span<std::byte> memory_;
  std::deque<IoRequest> in_flight_;
  std::set<std::pair<uint32_t, uint64_t>> tried_;
  uint32_t polls_ = 0;
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
