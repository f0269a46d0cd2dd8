#include "sim/curve/lru_curve.h"

#include <algorithm>
#include <bit>

#include "core/expects.h"
#include "sim/curve/expert_sizes.h"
#include "sim/curve/live_ranks.h"

// Uses a log of uses instead of a stack. An expert's place in the log is live while no later use of the same
// expert is logged. An access's distance is the number of live places after its expert's place (Bennett and
// Kruskal, "LRU stack processing", IBM Journal of Research and Development 19(4), 1975), or the sum of their
// sizes, for which places of each size are counted separately. The log is a window; when it is full, the live
// places move together at its start. They are few, since experts are few.
//
// With step semantics, a step's experts are looked up before the step: all are measured before any is logged.
// With request semantics they come one by one. Between an expert and its last use there are then also the
// experts before it in the step that were used less recently than itself.
namespace spillway {
namespace {

constexpr uint32_t kNever = 0xffffffff;
constexpr uint64_t kMostRowCells = uint64_t(1) << 22;
constexpr uint64_t kMostRowGranules = 256;

// Histograms of distances, in granules, rounded up.
struct Histograms {
  uint32_t row_shift = 0;  // a row's granule is the granule shifted left by this
  uint64_t row_granules = 0;
  std::array<std::vector<uint32_t>, 2> by_phase;
  std::vector<uint32_t> by_row;  // [rows][row_granules]
};

// The sizes of the experts that are used, and the class of each layer.
struct SizeClasses {
  std::vector<uint64_t> bytes;
  std::vector<uint32_t> of_layer;
};

SizeClasses size_classes(const AccessStream& stream) {
  const ModelGeometry& geometry = stream.geometry();
  SizeClasses classes;
  classes.of_layer.resize(geometry.layers);
  for (uint32_t row = 0; row < stream.rows(); ++row) {
    if (stream.row_accesses()[row] == 0) {
      continue;
    }
    const uint32_t layer = stream.layer_of_row(row);
    const auto known = std::find(classes.bytes.begin(), classes.bytes.end(), geometry.expert_bytes[layer]);
    classes.of_layer[layer] = uint32_t(known - classes.bytes.begin());
    if (known == classes.bytes.end()) {
      classes.bytes.push_back(geometry.expert_bytes[layer]);
    }
  }
  return classes;
}

class DistancePass {
 public:
  DistancePass(const AccessStream& stream, uint32_t granule_shift, Histograms& histograms)
      : stream_(stream),
        classes_(size_classes(stream)),
        granule_shift_(granule_shift),
        histograms_(histograms),
        window_(window_for(stream)),
        last_place_(stream.geometry().expert_count(), kNever),
        expert_at_(window_),
        ranks_(classes_.bytes.size(), LiveRanks(window_)) {}

  template <CacheSemantics semantics, bool uniform>
  [[gnu::always_inline]] void run() {
    const std::vector<AccessStream::StepStart>& steps = stream_.steps();
    for (size_t step = 0; step + 1 < steps.size(); ++step) {
      const uint32_t first = steps[step].begin;
      const Group group{stream_.experts().data() + first, steps[step + 1].begin - first, steps[step].row};
      if (places_.size() < group.count) {
        places_.resize(blocks_of(group.count));
        distances_.resize(places_.size());
      }
      if (window_ - now_ < group.count) {
        move_together();
      }
      measure<semantics, uniform>(group);
      log(group);
      count(group);
    }
  }

 private:
  static constexpr uint32_t kTogether = 8;

  static uint32_t blocks_of(uint32_t count) { return (count + kTogether - 1) / kTogether * kTogether; }

  struct Group {
    const uint32_t* experts = nullptr;
    uint32_t count = 0;
    uint32_t row = 0;
  };

  // Returns at least twice the number of experts, so that moving is rare.
  static uint32_t window_for(const AccessStream& stream) {
    const uint32_t twice = 2 * stream.geometry().expert_count();
    return (twice + LiveRanks::kChunk - 1) / LiveRanks::kChunk * LiveRanks::kChunk;
  }

  uint32_t class_of_row(uint32_t row) const {
    const uint32_t layers = stream_.geometry().layers;
    return classes_.of_layer[row < layers ? row : row - layers];
  }

  // Looks up the group's places, and the distance of each from the top.
  template <CacheSemantics semantics, bool uniform>
  [[gnu::always_inline]] void measure(const Group& group) {
    const uint64_t own = uniform ? 1 : classes_.bytes[class_of_row(group.row)];
    const LiveRanks::Reader reader(ranks_[0]);
    const uint32_t* const last_place = last_place_.data();
    uint32_t* const places = places_.data();
    if constexpr (semantics == CacheSemantics::request) {
      std::fill_n(places, blocks_of(group.count), kNever);
    }
    uint32_t* const distances = distances_.data();
    uint32_t known = 0;
    for (uint32_t i = 0; i < group.count; ++i) {
      const uint32_t place = last_place[group.experts[i]];
      if (place == kNever) {
        continue;
      }
      uint64_t distance = own;
      if constexpr (semantics == CacheSemantics::request) {
        distance += own * (used_before(places, known, place) + i - known);
      }
      if constexpr (uniform) {
        distance += reader.live_after(place);
      } else {
        distance = granules(distance + bytes_after(place));
      }
      places[known] = place;
      distances[known] = uint32_t(distance);
      ++known;
    }
    known_ = known;
  }

  // Counts in a loop of its own: an increment whose address is not known yet would delay
  // the measuring behind it.
  [[gnu::always_inline]] void count(const Group& group) {
    uint32_t* const by_phase = histograms_.by_phase[group.row < stream_.geometry().layers ? 0 : 1].data();
    uint32_t* const by_row = histograms_.by_row.data() + group.row * histograms_.row_granules;
    const uint32_t row_shift = histograms_.row_shift;
    const uint32_t row_round = (1U << row_shift) - 1;
    const uint32_t* const distances = distances_.data();
    for (uint32_t i = 0, known = known_; i < known; ++i) {
      ++by_phase[distances[i]];
      ++by_row[(distances[i] + row_round) >> row_shift];
    }
  }

  // Returns how many of the first `known` places are before `place`. The entries behind them, up to a
  // multiple of kTogether, are kNever; kTogether entries are compared at once.
  [[gnu::always_inline]] static uint32_t used_before(const uint32_t* places, uint32_t known, uint32_t place) {
    uint32_t before = 0;
    for (uint32_t i = 0; i < known; i += kTogether) {
      for (uint32_t lane = 0; lane < kTogether; ++lane) {
        before += places[i + lane] < place ? 1 : 0;
      }
    }
    return before;
  }

  [[gnu::always_inline]] uint64_t bytes_after(uint32_t place) const {
    uint64_t bytes = 0;
    for (size_t c = 0; c < ranks_.size(); ++c) {
      bytes += classes_.bytes[c] * LiveRanks::Reader(ranks_[c]).live_after(place);
    }
    return bytes;
  }
  uint64_t granules(uint64_t bytes) const {
    return (bytes + (uint64_t(1) << granule_shift_) - 1) >> granule_shift_;
  }

  // Moves the group's experts from their places to the end of the log.
  [[gnu::always_inline]] void log(const Group& group) {
    LiveRanks& ranks = ranks_[class_of_row(group.row)];
    ranks.die(places_.data(), known_);
    for (uint32_t i = 0; i < group.count;) {
      if (now_ % LiveRanks::kWord == 0) {
        open_word();
      }
      const uint32_t some = std::min(group.count - i, LiveRanks::kWord - now_ % LiveRanks::kWord);
      ranks.take(now_, some);
      for (uint32_t end = i + some, place = now_; i < end; ++i, ++place) {
        last_place_[group.experts[i]] = place;
      }
      now_ += some;
    }
  }

  void open_word() {
    for (LiveRanks& ranks : ranks_) {
      ranks.open_word(now_);
    }
  }

  [[gnu::noinline]] void move_together() {
    for (uint32_t expert = 0; expert < last_place_.size(); ++expert) {
      if (last_place_[expert] != kNever) {
        expert_at_[last_place_[expert]] = expert;
      }
    }
    std::vector<uint32_t> live;
    live.reserve(last_place_.size());
    for (uint32_t at = 0; at < now_; at += LiveRanks::kWord) {
      uint64_t word = 0;
      for (const LiveRanks& ranks : ranks_) {
        word |= ranks.word(at);
      }
      for (; word != 0; word &= word - 1) {
        live.push_back(expert_at_[at + uint32_t(std::countr_zero(word))]);
      }
    }
    for (LiveRanks& ranks : ranks_) {
      ranks.clear();
    }
    for (uint32_t at = 0; at < live.size(); ++at) {
      last_place_[live[at]] = at;
    }
    for (now_ = 0; now_ < live.size();) {
      open_word();
      const uint32_t end = std::min(now_ + LiveRanks::kWord, uint32_t(live.size()));
      if (ranks_.size() == 1) {
        ranks_[0].take(now_, end - now_);
        now_ = end;
      }
      for (; now_ < end; ++now_) {
        ranks_[classes_.of_layer[stream_.geometry().layer_of(ExpertId{live[now_]})]].take(now_, 1);
      }
    }
  }

  const AccessStream& stream_;
  SizeClasses classes_;
  uint32_t granule_shift_;
  Histograms& histograms_;
  uint32_t window_;                   // places in the log
  uint32_t now_ = 0;                  // the next free place
  std::vector<uint32_t> last_place_;  // by expert
  std::vector<uint32_t> expert_at_;   // by live place; filled in by move_together()
  std::vector<LiveRanks> ranks_;      // by size class
  uint32_t known_ = 0;                // how many of the group's experts were used before
  std::vector<uint32_t> places_;      // the places of those
  std::vector<uint32_t> distances_;   // in granules, from the top of the stack
};

template <CacheSemantics semantics, bool uniform>
void run_portable(DistancePass& pass) {
  pass.run<semantics, uniform>();
}
#if defined(__x86_64__)
template <CacheSemantics semantics, bool uniform>
SPILLWAY_CURVE_AVX2 void run_avx2(DistancePass& pass) {
  pass.run<semantics, uniform>();
}
template <CacheSemantics semantics, bool uniform>
SPILLWAY_CURVE_AVX512 void run_avx512(DistancePass& pass) {
  pass.run<semantics, uniform>();
}
#endif

template <CacheSemantics semantics, bool uniform>
void run_pass(DistancePass& pass, CurveIsa isa) {
#if defined(__x86_64__)
  if (isa == CurveIsa::avx512) {
    return run_avx512<semantics, uniform>(pass);
  }
  if (isa == CurveIsa::avx2) {
    return run_avx2<semantics, uniform>(pass);
  }
#endif
  Expects(isa == CurveIsa::portable);
  run_portable<semantics, uniform>(pass);
}

void run_pass(DistancePass& pass, CacheSemantics semantics, bool uniform, CurveIsa isa) {
  if (semantics == CacheSemantics::step) {
    uniform ? run_pass<CacheSemantics::step, true>(pass, isa)
            : run_pass<CacheSemantics::step, false>(pass, isa);
  } else {
    uniform ? run_pass<CacheSemantics::request, true>(pass, isa)
            : run_pass<CacheSemantics::request, false>(pass, isa);
  }
}

// `granules` must be larger than any distance.
Histograms make_histograms(const AccessStream& stream, uint64_t granules) {
  Histograms histograms;
  const uint64_t most = std::clamp<uint64_t>(kMostRowCells / stream.rows(), 2, kMostRowGranules);
  while (((granules - 1) >> histograms.row_shift) + 2 > most) {
    ++histograms.row_shift;
  }
  histograms.row_granules = ((granules - 1) >> histograms.row_shift) + 2;
  for (std::vector<uint32_t>& phase : histograms.by_phase) {
    phase.resize(granules);
  }
  histograms.by_row.resize(stream.rows() * histograms.row_granules);
  return histograms;
}

uint64_t largest_used(const AccessStream& stream) {
  uint64_t largest = 0;
  for (uint32_t row = 0; row < stream.rows(); ++row) {
    const uint64_t bytes = stream.geometry().expert_bytes[stream.layer_of_row(row)];
    largest = std::max(largest, stream.row_accesses()[row] == 0 ? 0 : bytes);
  }
  return largest;
}

template <class Iterator>
std::vector<uint64_t> running_sums(Iterator begin, Iterator end) {
  std::vector<uint64_t> sums;
  uint64_t sum = 0;
  for (; begin != end; ++begin) {
    sums.push_back(sum += *begin);
  }
  return sums;
}

}  // namespace

uint64_t LruCurve::hits_at(Phase phase, uint64_t granules) const {
  const std::vector<uint64_t>& sums = hits[phase == Phase::decode ? 1 : 0];
  return sums[std::min<uint64_t>(granules, sums.size() - 1)];
}

LruCurve lru_curve(const AccessStream& stream, CacheSemantics semantics, CurveIsa isa) {
  const ModelGeometry& geometry = stream.geometry();
  const uint64_t common = common_size(stream);
  const uint64_t half_mean = std::max<uint64_t>(geometry.total_bytes() / geometry.expert_count() / 2, 1);
  const uint32_t shift = uint32_t(std::bit_width(half_mean)) - 1;

  LruCurve curve;
  curve.granule_bytes = common != 0 ? common : uint64_t(1) << shift;
  const uint64_t most = common != 0 ? geometry.expert_count() : (geometry.total_bytes() >> shift) + 1;
  Histograms histograms = make_histograms(stream, most + 1);
  DistancePass pass(stream, shift, histograms);
  run_pass(pass, semantics, common != 0, isa);

  curve.least_bytes = semantics == CacheSemantics::step ? stream.largest_step_bytes() : largest_used(stream);
  uint64_t last = most;
  while (last > 0 && histograms.by_phase[0][last] == 0 && histograms.by_phase[1][last] == 0) {
    --last;
  }
  for (size_t phase = 0; phase < 2; ++phase) {
    const auto begin = histograms.by_phase[phase].begin();
    curve.hits[phase] = running_sums(begin, begin + ptrdiff_t(last + 1));
  }
  curve.row_granule_bytes = curve.granule_bytes << histograms.row_shift;
  curve.row_hits.resize(stream.rows());
  for (uint32_t row = 0; row < stream.rows(); ++row) {
    const auto begin = histograms.by_row.begin() + ptrdiff_t(row * histograms.row_granules);
    if (stream.row_accesses()[row] != 0) {
      curve.row_hits[row] = running_sums(begin, begin + ptrdiff_t(histograms.row_granules));
    }
  }
  return curve;
}

}  // namespace spillway
