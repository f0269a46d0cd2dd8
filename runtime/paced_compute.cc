#include "runtime/paced_compute.h"

#include <charconv>
#include <cmath>

#include "core/for_each_step.h"
#include "core/options.h"

namespace spillway {
namespace {

class PacedCompute final : public Compute {
 public:
  explicit PacedCompute(const ComputePace& pace) : pace_(pace) {}

  Nanoseconds attention(const Step& step, Nanoseconds now) override {
    return now + (pace_.kind == ComputePace::Kind::recorded ? scaled(step.attention_time) : pace_.attention);
  }

  Nanoseconds expert(const Step& step, ExpertId, ExpertBytes, Nanoseconds now) override {
    switch (pace_.kind) {
      case ComputePace::Kind::recorded:
        return now + scaled(step.experts_time) / int64_t(step.experts.size());
      case ComputePace::Kind::fixed:
        return now + pace_.experts / int64_t(step.experts.size());
      case ComputePace::Kind::none:
        break;
    }
    return now;
  }

  bool skips_experts() const override { return pace_.kind == ComputePace::Kind::none; }

 private:
  Nanoseconds scaled(const std::optional<Nanoseconds>& recorded) const {
    return Nanoseconds(std::llround(double(recorded.value_or(Nanoseconds(0)).count()) * pace_.scale));
  }

  ComputePace pace_;
};

}  // namespace

Result<ComputePace> parse_compute(std::string_view text) {
  if (text == "none") {
    return ComputePace{};
  }
  if (text == "recorded") {
    return ComputePace{.kind = ComputePace::Kind::recorded};
  }
  if (text.ends_with('x')) {
    double scale = 0;
    const char* end = text.data() + text.size() - 1;
    const auto [stop, problem] = std::from_chars(text.data(), end, scale);
    if (problem == std::errc{} && stop == end && scale >= 0 && scale <= 1e6) {
      return ComputePace{.kind = ComputePace::Kind::recorded, .scale = scale};
    }
  } else {
    const size_t plus = text.find('+');
    const Result<Nanoseconds> attention =
        plus == std::string_view::npos ? Nanoseconds(0) : parse_duration(text.substr(0, plus));
    const Result<Nanoseconds> experts =
        parse_duration(text.substr(plus == std::string_view::npos ? 0 : plus + 1));
    const Nanoseconds longest = std::chrono::hours(1);
    if (attention && experts && *attention <= longest && *experts <= longest) {
      return ComputePace{.kind = ComputePace::Kind::fixed, .attention = *attention, .experts = *experts};
    }
  }
  return wrong_usage(
      "--compute {}: not a pace; give none, recorded, a factor like 0.5x, a time per layer like 2ms, or the "
      "times of attention and experts like 0.5ms+1.5ms",
      text);
}

std::string describe(const ComputePace& pace) {
  switch (pace.kind) {
    case ComputePace::Kind::none:
      return "none";
    case ComputePace::Kind::recorded:
      return pace.scale == 1.0 ? "recorded" : fmt::format("{}x", pace.scale);
    case ComputePace::Kind::fixed:
      break;
  }
  return pace.attention.count() == 0 ? option_text(pace.experts)
                                     : option_text(pace.attention) + "+" + option_text(pace.experts);
}

Result<Nanoseconds> between_reads(const ComputePace& pace, StepSource& source) {
  Result<std::unique_ptr<Compute>> compute = make_paced_compute(pace, source.info());
  if (!compute) {
    return propagate(compute);
  }
  Nanoseconds sum{0};
  int64_t steps = 0;
  Result<void> read = for_each_step(source, [&](const Step& step) -> Result<void> {
    if (!step.experts.empty()) {
      sum += (*compute)->expert(step, step.experts.front(), {}, (*compute)->attention(step, Nanoseconds(0)));
      ++steps;
    }
    return {};
  });
  return read ? Result<Nanoseconds>(steps > 0 ? sum / steps : sum) : propagate(read);
}

Result<std::unique_ptr<Compute>> make_paced_compute(const ComputePace& pace, const SourceInfo& source) {
  if (pace.kind == ComputePace::Kind::recorded && !source.has_compute_times) {
    return wrong_usage(
        "--compute {}: this trace has no compute times; give a time per layer like --compute 2ms, or none",
        describe(pace));
  }
  return std::make_unique<PacedCompute>(pace);
}

}  // namespace spillway
