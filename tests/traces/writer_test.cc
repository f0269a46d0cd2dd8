#include "traces/writer.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <thread>

#include "tests/traces/trace_testing.h"

namespace spillway::testing {
namespace {

TraceHeader plain_header() {
  return {small_geometry(), "m", {}, {}, {}};
}

Step decode_step(uint32_t layer, std::vector<uint16_t> choices) {
  Step step;
  step.layer = layer;
  step.choices = std::move(choices);
  return step;
}

TEST(TraceWriter, RefusesStepsThatTheGeometryDoesNotAllowAndGoesOn) {
  const TemporaryDirectory scratch;
  TraceHeader header = plain_header();
  header.geometry.expert_bytes[2] = 0;
  header.columns = {true, true, true, true};
  auto writer = TraceWriter::create(scratch / "t.bin", header);
  ASSERT_TRUE(writer) << writer.error().message;
  const auto with = [](auto change) {
    Step step = decode_step(0, {1, 2});
    step.weights = {0.5F, 0.5F};
    change(step);
    return step;
  };
  const std::vector<std::pair<std::string, Step>> bad = {
      {"layer 3", with([](Step& s) { s.layer = 3; })},
      {"layer 2 has no experts", with([](Step& s) { s.layer = 2; })},
      {"no tokens", with([](Step& s) { s.tokens = 0; })},
      {"2 tokens of top-2 need 4", with([](Step& s) { s.tokens = 2; })},
      {"0 choices", with([](Step& s) { s.choices.clear(); })},
      {"expert 8 is out of range", with([](Step& s) { s.choices[1] = 8; })},
      {"chosen twice", with([](Step& s) { s.choices[1] = 1; })},
      {"1 gate weights", with([](Step& s) { s.weights.pop_back(); })},
      {"3 token ids", with([](Step& s) {
         s.token_ids = {1, 2, 3};
       })},
      {"look-ahead expert 24", with([](Step& s) { s.lookahead = {ExpertId{24}}; })},
      {"from 0 to 24 hours is possible", with([](Step& s) { s.attention_time = std::chrono::hours(25); })},
      {"no finite number", with([](Step& s) { s.weights[0] = NAN; })},
      {"takes -1 ns", with([](Step& s) { s.experts_time = Nanoseconds(-1); })},
      {"of another layer", with([](Step& s) {
         s.choices.clear();
         s.weights.clear();
         s.experts = {ExpertId{8}};
       })},
  };
  for (const auto& [complaint, step] : bad) {
    const Result<void> appended = (*writer)->append(step);
    ASSERT_FALSE(appended) << complaint;
    EXPECT_NE(appended.error().message.find(complaint), std::string::npos) << appended.error().message;
    EXPECT_NE(appended.error().message.find("step 0"), std::string::npos) << appended.error().message;
  }
  EXPECT_TRUE((*writer)->append(with([](Step&) {})));
  EXPECT_TRUE((*writer)->finish());
  EXPECT_EQ(drain(**TraceReader::open(scratch / "t.bin")).size(), 1U);
}

TEST(TraceWriter, DoesNotReplaceAFileUnlessTold) {
  const TemporaryDirectory scratch;
  write_text(scratch / "t.bin", "precious");
  for (const auto place : {OutputFile::Place::in_place, OutputFile::Place::rename_when_done}) {
    TraceWriterOptions options;
    options.place = place;
    const auto writer = TraceWriter::create(scratch / "t.bin", plain_header(), options);
    ASSERT_FALSE(writer);
    EXPECT_NE(writer.error().message.find("--force"), std::string::npos) << writer.error().message;
  }
  EXPECT_EQ(scratch.entries(), 1U);
  EXPECT_EQ(read_bytes(scratch / "t.bin").size(), 8U);
  TraceWriterOptions replace;
  replace.replace = true;
  EXPECT_TRUE((*TraceWriter::create(scratch / "t.bin", plain_header(), replace))->finish());
  EXPECT_TRUE(TraceReader::open(scratch / "t.bin"));
}

TEST(TraceWriter, DoesNotReplaceAFileThatAppearedMeanwhile) {
  const TemporaryDirectory scratch;
  auto writer = TraceWriter::create(scratch / "t.bin", plain_header());
  ASSERT_TRUE(writer);
  write_text(scratch / "t.bin", "precious");
  EXPECT_FALSE((*writer)->finish());
  EXPECT_EQ(read_bytes(scratch / "t.bin").size(), 8U);
  EXPECT_EQ(scratch.entries(), 1U);
}

TEST(TraceWriter, LeavesNothingBehindWhenItIsNotFinished) {
  const TemporaryDirectory scratch;
  {
    auto conversion = TraceWriter::create(scratch / "a.bin", plain_header());
    ASSERT_TRUE((*conversion)->append(decode_step(0, {1, 2})));
    ASSERT_TRUE((*conversion)->flush());
    TraceWriterOptions in_place;
    in_place.place = OutputFile::Place::in_place;
    auto recording = TraceWriter::create(scratch / "b.bin", plain_header(), in_place);
    EXPECT_FALSE(std::filesystem::exists(scratch / "a.bin"));
    EXPECT_TRUE(std::filesystem::exists(scratch / "b.bin"));
  }
  EXPECT_EQ(scratch.entries(), 0U);
}

TEST(TraceWriter, SaysWhereItCannotWrite) {
  const auto writer = TraceWriter::create("/nonexistent/directory/t.bin", plain_header());
  ASSERT_FALSE(writer);
  EXPECT_NE(writer.error().message.find("/nonexistent/directory/t.bin"), std::string::npos);
  EXPECT_NE(writer.error().message.find("No such file"), std::string::npos);
}

TEST(TraceWriter, KeepsTheWholeBlocksWhenTheDiskIsFull) {
  const TemporaryDirectory scratch;
  const std::string path = scratch / "t.bin";
  // Runs in a child, because the limit cannot be lifted again.
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{2000, 2000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    TraceWriterOptions options;
    options.place = OutputFile::Place::in_place;
    options.block_steps = 4;
    auto writer = TraceWriter::create(path, plain_header(), options);
    Result<void> appended;
    for (int i = 0; writer && appended && i < 10'000; ++i) {
      appended = (*writer)->append(decode_step(uint32_t(i % 3), {uint16_t(i % 4), uint16_t(4 + i % 3)}));
    }
    const bool told = !appended && appended.error().message.find(path) != std::string::npos &&
                      !(*writer)->append(decode_step(0, {1, 2})) && !(*writer)->finish();
    writer->reset();
    ::_exit(told ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  auto reader = TraceReader::open(path);
  ASSERT_TRUE(reader) << reader.error().message;
  const size_t steps = drain(**reader).size();
  EXPECT_GT(steps, 0U);
  EXPECT_EQ(steps % 4, 0U);
  EXPECT_NE((*reader)->truncation().find("blocks are whole"), std::string::npos) << (*reader)->truncation();
}

TEST(TraceWriter, LosesAtMostTheCurrentBlockWhenItIsKilled) {
  const TemporaryDirectory scratch;
  const std::string path = scratch / "t.bin";
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    TraceWriterOptions options;
    options.place = OutputFile::Place::in_place;
    options.block_steps = 10;
    auto writer = TraceWriter::create(path, plain_header(), options);
    for (uint32_t i = 0; writer && i < 37; ++i) {
      static_cast<void>((*writer)->append(decode_step(i % 3, {uint16_t(i % 4), 5})));
    }
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  auto reader = TraceReader::open(path);
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ(drain(**reader).size(), 30U);
  EXPECT_TRUE((*reader)->truncated());
}

TEST(TraceWriter, WritesASlowRecordingByTimeAndAConversionOnlyByTheBlock) {
  const TemporaryDirectory scratch;
  for (const auto place : {OutputFile::Place::in_place, OutputFile::Place::rename_when_done}) {
    TraceWriterOptions options;
    options.place = place;
    options.flush_after = std::chrono::milliseconds(20);
    auto writer = TraceWriter::create(scratch / std::to_string(int(place)), plain_header(), options);
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->append(decode_step(0, {1, 2})));
    const uint64_t before = (*writer)->bytes_written();
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    ASSERT_TRUE((*writer)->append(decode_step(1, {1, 2})));
    EXPECT_EQ((*writer)->bytes_written() > before, place == OutputFile::Place::in_place);
  }
}

TEST(TraceWriter, CanBeReadWhileItRecords) {
  const TemporaryDirectory scratch;
  TraceWriterOptions options;
  options.place = OutputFile::Place::in_place;
  auto writer = TraceWriter::create(scratch / "t.bin", plain_header(), options);
  ASSERT_TRUE((*writer)->append(decode_step(0, {1, 2})));
  ASSERT_TRUE((*writer)->flush());
  ASSERT_TRUE((*writer)->append(decode_step(1, {1, 2})));
  auto reader = TraceReader::open(scratch / "t.bin");
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ(drain(**reader).size(), 1U);
  EXPECT_TRUE((*reader)->truncated());
}

}  // namespace
}  // namespace spillway::testing
