#include "tests/traces/trace_testing.h"
#include "traces/memory_trace.h"

namespace spillway::testing {
namespace {

TraceColumns columns_of(unsigned bits) {
  return {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0};
}

TEST(TraceRoundTrip, KeepsEveryStepInEveryCombinationOfColumns) {
  const TemporaryDirectory scratch;
  for (unsigned bits = 0; bits < 16; ++bits) {
    for (const uint32_t experts : {8U, 256U, 257U, 1000U}) {
      for (uint64_t seed = 1; seed <= 3; ++seed) {
        SCOPED_TRACE(fmt::format("columns {:04b}, {} experts, seed {}", bits, experts, seed));
        Rng rng(seed);
        const TraceHeader header{small_geometry(5, experts, 3), "m", columns_of(bits), {}, {}};
        const std::vector<Step> steps = random_steps(header.geometry, header.columns, 300, rng);
        write_trace(scratch / "t.bin", header, steps, uint32_t(1 + rng.below(400)));
        auto reader = TraceReader::open(scratch / "t.bin");
        ASSERT_TRUE(reader) << reader.error().message;
        EXPECT_EQ((*reader)->header(), header);
        expect_same(drain(**reader), steps);
        EXPECT_FALSE((*reader)->truncated());
        if (HasFailure()) {
          return;
        }
      }
    }
  }
}

TEST(TraceRoundTrip, MemoryKeepsEveryStepTooAndCanBeReadTwiceAtOnce) {
  for (unsigned bits = 0; bits < 16; ++bits) {
    SCOPED_TRACE(fmt::format("columns {:04b}", bits));
    Rng rng(bits);
    const ModelGeometry geometry = small_geometry(5, 40, 3);
    const std::vector<Step> steps = random_steps(geometry, columns_of(bits), 300, rng);
    StepList source(geometry, steps);
    Result<MemoryTrace> trace = MemoryTrace::load(source);
    ASSERT_TRUE(trace) << trace.error().message;
    const auto first = trace->cursor();
    const auto second = trace->cursor();
    Step step;
    ASSERT_TRUE(*second->next(step));
    expect_same(step, steps.front());
    expect_same(drain(*first), steps);
    if (HasFailure()) {
      return;
    }
  }
}

TEST(TraceRoundTrip, LeavesOutTheColumnsThatAreNotWanted) {
  const TemporaryDirectory scratch;
  Rng rng(11);
  const TraceHeader header{small_geometry(), "m", columns_of(15), {}, {}};
  std::vector<Step> steps = random_steps(header.geometry, header.columns, 200, rng);
  write_trace(scratch / "t.bin", header, steps, 64);
  for (unsigned bits = 0; bits < 16; ++bits) {
    SCOPED_TRACE(fmt::format("wanted {:04b}", bits));
    const TraceColumns wanted = columns_of(bits);
    std::vector<Step> expected = steps;
    for (Step& step : expected) {
      step.weights.resize(wanted.weights ? step.weights.size() : 0);
      step.lookahead.resize(wanted.lookahead ? step.lookahead.size() : 0);
      step.token_ids.resize(wanted.token_ids ? step.token_ids.size() : 0);
      step.attention_time = wanted.times ? step.attention_time : std::nullopt;
      step.experts_time = wanted.times ? step.experts_time : std::nullopt;
    }
    auto reader = TraceReader::open(scratch / "t.bin", wanted);
    ASSERT_TRUE(reader) << reader.error().message;
    EXPECT_EQ((*reader)->info().has_compute_times, wanted.times);
    expect_same(drain(**reader), expected);
    if (HasFailure()) {
      return;
    }
  }
}

TEST(TraceRoundTrip, KeepsTheHeader) {
  TraceHeader header{{2, 4, 3, 2, {100, 0}}, "Ünïcode \"model\"", {true, false, true, false}, {}, {}};
  header.provenance = {{"zeta", "last comes first"}, {"alpha", "a\nb"}};
  header.seeds = {{"synth", UINT64_MAX}};
  const Result<TraceHeader> back = header_from_json(header_to_json(header));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, header);
}

TEST(TraceRoundTrip, ATraceWithoutStepsIsATrace) {
  const TemporaryDirectory scratch;
  write_trace(scratch / "t.bin", {small_geometry(), "", {}, {}, {}}, {});
  auto reader = TraceReader::open(scratch / "t.bin");
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_TRUE(drain(**reader).empty());
  EXPECT_FALSE((*reader)->truncated());
}

TEST(TraceRoundTrip, TheSameStepsMakeTheSameBytes) {
  const TemporaryDirectory scratch;
  Rng rng(5);
  const TraceHeader header{small_geometry(), "m", columns_of(15), {}, {}};
  const std::vector<Step> steps = random_steps(header.geometry, header.columns, 100, rng);
  write_trace(scratch / "a.bin", header, steps, 30);
  write_trace(scratch / "b.bin", header, steps, 30);
  EXPECT_EQ(read_bytes(scratch / "a.bin"), read_bytes(scratch / "b.bin"));
}

}  // namespace
}  // namespace spillway::testing
