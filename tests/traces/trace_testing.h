#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/rng.h"
#include "core/step.h"
#include "tests/support/files.h"
#include "tests/support/step_list.h"
#include "traces/reader.h"
#include "traces/writer.h"

// The helpers that this folder's tests share: scratch files, random steps, and reading and
// writing whole traces.
namespace spillway::testing {

using test::StepList;
using test::TemporaryDirectory;

inline Buffer read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return Buffer(std::istreambuf_iterator<char>(in), {});
}

inline void write_bytes(const std::string& path, std::span<const uint8_t> bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
}

inline void write_text(const std::string& path, std::string_view text) {
  write_bytes(path, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

inline ModelGeometry small_geometry(uint32_t layers = 3, uint32_t experts = 8, uint32_t top_k = 2) {
  return {layers, experts, top_k, top_k, std::vector<uint64_t>(layers, 4096)};
}

// Fills choices with `tokens` × used_top_k distinct-per-token experts, and experts from them.
inline void choose_at_random(const ModelGeometry& geometry, Rng& rng, Step& step) {
  step.choices.clear();
  for (uint32_t token = 0; token < step.tokens; ++token) {
    const size_t first = step.choices.size();
    while (step.choices.size() < first + geometry.used_top_k) {
      const auto expert = uint16_t(rng.below(geometry.experts_per_layer));
      if (std::find(step.choices.begin() + int64_t(first), step.choices.end(), expert) ==
          step.choices.end()) {
        step.choices.push_back(expert);
      }
    }
  }
  std::vector<bool> seen(geometry.experts_per_layer);
  collect_distinct(geometry, seen, step);
}

// Makes steps as odd as the format allows: batches, skipped layers, jumps of pass and sequence, experts that
// are only listed, columns that come and go.
inline std::vector<Step> random_steps(const ModelGeometry& geometry, TraceColumns columns, size_t count,
                                      Rng& rng) {
  std::vector<Step> steps;
  uint64_t pass = rng.below(3);
  uint32_t layer = uint32_t(rng.below(geometry.layers));
  std::vector<int32_t> ids;
  for (size_t i = 0; i < count; ++i) {
    Step step;
    step.index = i;
    step.pass = pass;
    step.layer = layer;
    step.sequence = rng.below(5) == 0 ? uint32_t(rng.next()) : 7;
    step.phase = rng.below(4) == 0 ? Phase::prefill : Phase::decode;
    step.tokens = rng.below(4) == 0 ? 1 + uint32_t(rng.below(9)) : 1;
    choose_at_random(geometry, rng, step);
    if (rng.below(8) == 0) {
      step.choices.clear();
    }
    for (size_t w = 0; columns.weights && w < step.choices.size(); ++w) {
      step.weights.push_back(float(rng.uniform()));
    }
    if (columns.times && rng.below(4) != 0) {
      step.attention_time = Nanoseconds(int64_t(rng.below(1'000'000)));
    }
    if (columns.times && rng.below(4) != 0) {
      step.experts_time = Nanoseconds(int64_t(rng.below(uint64_t(1) << 40)));
    }
    for (size_t l = columns.lookahead ? rng.below(6) : 0; l > 0; --l) {
      step.lookahead.push_back(ExpertId{uint32_t(rng.below(geometry.expert_count()))});
    }
    if (columns.token_ids && rng.below(8) != 0) {
      if (ids.size() != step.tokens || rng.below(3) == 0) {
        ids.resize(step.tokens);
        for (int32_t& id : ids) {
          id = int32_t(rng.next());
        }
      }
      step.token_ids = ids;
    }
    steps.push_back(step);
    layer = rng.below(6) == 0 ? uint32_t(rng.below(geometry.layers)) : (layer + 1) % geometry.layers;
    pass += layer <= step.layer ? 1 + (rng.below(6) == 0 ? rng.below(1000) : 0) : 0;
  }
  return steps;
}

// Compares every field, so that a failure names the step; gtest prints the rest.
inline void expect_same(const Step& got, const Step& want) {
  EXPECT_EQ(got.index, want.index);
  EXPECT_EQ(got.pass, want.pass) << "step " << want.index;
  EXPECT_EQ(got.layer, want.layer) << "step " << want.index;
  EXPECT_EQ(got.sequence, want.sequence) << "step " << want.index;
  EXPECT_EQ(got.tokens, want.tokens) << "step " << want.index;
  EXPECT_EQ(got.phase, want.phase) << "step " << want.index;
  EXPECT_EQ(got.experts, want.experts) << "step " << want.index;
  EXPECT_EQ(got.next_use, want.next_use) << "step " << want.index;
  EXPECT_EQ(got.choices, want.choices) << "step " << want.index;
  EXPECT_EQ(got.weights, want.weights) << "step " << want.index;
  EXPECT_EQ(got.token_ids, want.token_ids) << "step " << want.index;
  EXPECT_EQ(got.lookahead, want.lookahead) << "step " << want.index;
  EXPECT_EQ(got.attention_time, want.attention_time) << "step " << want.index;
  EXPECT_EQ(got.experts_time, want.experts_time) << "step " << want.index;
}

// Returns the steps of `source` up to its end or the first error; `error` gets its message.
inline std::vector<Step> drain(StepSource& source, std::string* error = nullptr) {
  std::vector<Step> steps;
  Step step;
  for (;;) {
    const Result<bool> more = source.next(step);
    if (!more) {
      EXPECT_NE(error, nullptr) << more.error().message;
      if (error != nullptr) {
        *error = more.error().message;
      }
      return steps;
    }
    if (!*more) {
      return steps;
    }
    steps.push_back(step);
  }
}

inline void expect_same(const std::vector<Step>& got, const std::vector<Step>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    expect_same(got[i], want[i]);
    if (::testing::Test::HasFailure()) {
      return;
    }
  }
}

inline void write_trace(const std::string& path, const TraceHeader& header, const std::vector<Step>& steps,
                        uint32_t block_steps = 1U << 16) {
  TraceWriterOptions options;
  options.replace = true;
  options.block_steps = block_steps;
  auto writer = TraceWriter::create(path, header, options);
  ASSERT_TRUE(writer) << writer.error().message;
  for (const Step& step : steps) {
    const Result<void> appended = (*writer)->append(step);
    ASSERT_TRUE(appended) << appended.error().message;
  }
  const Result<void> finished = (*writer)->finish();
  ASSERT_TRUE(finished) << finished.error().message;
}

}  // namespace spillway::testing
