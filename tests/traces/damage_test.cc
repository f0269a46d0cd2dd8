#include <sys/resource.h>

#include "tests/traces/trace_testing.h"
#include "traces/block_codec.h"
#include "traces/step_flags.h"

// The reader's answers to files that are not as a writer finished them.
namespace spillway::testing {
namespace {

constexpr uint32_t kBlockSteps = 8;
constexpr size_t kSteps = 28;  // three whole blocks and a part of one

class DamagedTrace : public ::testing::Test {
 protected:
  void SetUp() override {
    Rng rng(42);
    header_ = {small_geometry(), "m", {true, true, true, true}, {}, {}};
    steps_ = random_steps(header_.geometry, header_.columns, kSteps, rng);
    write_trace(path(), header_, steps_, kBlockSteps);
    bytes_ = read_bytes(path());
    uint64_t seed = 0;
    header_bytes_ = encode_file_head(header_, seed)->size();
  }

  std::string path() const { return scratch_ / "t.bin"; }

  // Expects the delivered steps to be the original ones, however the file ends. Returns how many there were.
  size_t check_delivered(TraceReader& reader, std::string& error) {
    const std::vector<Step> delivered = drain(reader, &error);
    EXPECT_LE(delivered.size(), steps_.size());
    expect_same(delivered,
                {steps_.begin(), steps_.begin() + int64_t(std::min(delivered.size(), steps_.size()))});
    return delivered.size();
  }

  TemporaryDirectory scratch_;
  TraceHeader header_;
  std::vector<Step> steps_;
  Buffer bytes_;
  size_t header_bytes_ = 0;
};

TEST_F(DamagedTrace, ReadsUpToTheLastWholeBlockWhenCutAnywhere) {
  size_t last_delivered = kSteps;
  for (size_t size = bytes_.size(); size-- > 0;) {
    SCOPED_TRACE(fmt::format("cut at {} of {}", size, bytes_.size()));
    std::filesystem::resize_file(path(), size);
    auto reader = TraceReader::open(path());
    ASSERT_EQ(bool(reader), size >= header_bytes_);
    if (!reader) {
      continue;
    }
    std::string error;
    const size_t delivered = check_delivered(**reader, error);
    EXPECT_EQ(error, "");
    EXPECT_TRUE((*reader)->truncated());
    EXPECT_NE((*reader)->truncation().find(fmt::format("{}", size)), std::string::npos)
        << (*reader)->truncation();
    EXPECT_TRUE(delivered % kBlockSteps == 0 || delivered == kSteps);
    EXPECT_LE(delivered, last_delivered);
    if (size + 1 == bytes_.size()) {
      EXPECT_EQ(delivered, kSteps) << "only a byte of the end mark is missing";
    }
    last_delivered = delivered;
    if (HasFailure()) {
      return;
    }
  }
}

TEST_F(DamagedTrace, NeverDeliversAWrongStepWhenABitFlips) {
  std::fstream file(path(), std::ios::binary | std::ios::in | std::ios::out);
  const auto put = [&](size_t at, uint8_t byte) {
    file.seekp(std::streamoff(at));
    file.put(char(byte));
    file.flush();
  };
  for (size_t bit = 0; bit < bytes_.size() * 8; ++bit) {
    SCOPED_TRACE(fmt::format("bit {} of byte {}", bit % 8, bit / 8));
    if (bit >= 8) {
      put(bit / 8 - 1, bytes_[bit / 8 - 1]);
    }
    put(bit / 8, uint8_t(bytes_[bit / 8] ^ (1U << (bit % 8))));
    auto reader = TraceReader::open(path());
    if (!reader) {
      EXPECT_LT(bit / 8, header_bytes_);
      continue;
    }
    std::string error;
    check_delivered(**reader, error);
    EXPECT_NE(error.find("offset"), std::string::npos) << "a flipped bit went unnoticed: " << error;
    EXPECT_NE(error.find("block"), std::string::npos) << error;
    std::string again;
    drain(**reader, &again);
    EXPECT_EQ(again, error) << "the error stays";
    if (HasFailure()) {
      return;
    }
  }
}

TEST_F(DamagedTrace, NoticesABlockThatIsMissingOrFromAnotherFile) {
  TraceHeader other = header_;
  other.model = "n";
  write_trace(path(), other, steps_, kBlockSteps);
  const Buffer theirs = read_bytes(path());
  ASSERT_EQ(theirs.size(), bytes_.size());
  Buffer mixed(bytes_.begin(), bytes_.begin() + int64_t(header_bytes_));
  mixed.insert(mixed.end(), theirs.begin() + int64_t(header_bytes_), theirs.end());
  write_bytes(path(), mixed);
  std::string error;
  EXPECT_EQ(check_delivered(**TraceReader::open(path()), error), 0U);
  EXPECT_NE(error.find("block 0"), std::string::npos) << error;

  uint32_t payload = 0;
  std::memcpy(&payload, bytes_.data() + header_bytes_ + 4, 4);
  Buffer shorter = bytes_;
  shorter.erase(shorter.begin() + int64_t(header_bytes_),
                shorter.begin() + int64_t(header_bytes_ + kBlockHeadBytes + payload));
  write_bytes(path(), shorter);
  EXPECT_EQ(check_delivered(**TraceReader::open(path()), error), 0U);
  EXPECT_NE(error.find("number 1"), std::string::npos) << error;
}

TEST_F(DamagedTrace, RefusesBytesAfterTheEndMark) {
  Buffer longer = bytes_;
  longer.push_back(0);
  write_bytes(path(), longer);
  std::string error;
  EXPECT_EQ(check_delivered(**TraceReader::open(path()), error), kSteps);
  EXPECT_NE(error.find("after the end mark"), std::string::npos) << error;
}

TEST_F(DamagedTrace, SaysWhatAForeignFileIs) {
  write_text(path(), "turn,phase,step\n0,0,0\n and some more text so that it is long enough\n");
  const auto reader = TraceReader::open(path());
  ASSERT_FALSE(reader);
  EXPECT_NE(reader.error().message.find("not a Spillway trace"), std::string::npos);
  EXPECT_NE(reader.error().message.find(path()), std::string::npos);
  EXPECT_FALSE(TraceReader::open(scratch_ / "absent.bin"));
  write_text(path(), "");
  EXPECT_NE(TraceReader::open(path()).error().message.find("the file has only 0 bytes"), std::string::npos);
  EXPECT_FALSE(TraceReader::open("/dev/zero")) << "there is no size to check claims against";
}

// Heads and directories with matching checksums and false counts, which no accident makes.
class LyingBlock : public DamagedTrace {
 protected:
  void write_block(BlockHead head, const Buffer& payload) {
    uint64_t seed = 0;
    Buffer file = *encode_file_head(header_, seed);
    head.payload_bytes = uint32_t(payload.size());
    head.payload_hash = trace_hash(payload, seed);
    const auto bytes = encode_block_head(head, seed);
    file.insert(file.end(), bytes.begin(), bytes.end());
    file.insert(file.end(), payload.begin(), payload.end());
    write_bytes(path(), file);
  }

  std::string error_of_reading() {
    std::string error;
    EXPECT_TRUE(drain(**TraceReader::open(path()), &error).empty());
    return error;
  }

  // The same where some steps are good.
  std::string error_of_reading_some() {
    std::string error;
    drain(**TraceReader::open(path()), &error);
    return error;
  }

  static long peak_kib() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  }
};

TEST_F(LyingBlock, CannotMakeUsAllocateWhatItClaims) {
  const long before = peak_kib();
  for (const uint64_t claim : {uint64_t(1) << 25, uint64_t(1) << 26, uint64_t(1) << 40, UINT64_MAX}) {
    for (size_t section = 0; section < kSections; ++section) {
      Buffer payload;
      for (size_t i = 0; i < kSections; ++i) {
        put_varint(payload, i == section ? claim : 0);
        put_varint(payload, i == section ? 9 : 0);
      }
      payload.insert(payload.end(), 9, 0);
      write_block({BlockKind::steps, 0, 1, 0, 0, 0}, payload);
      EXPECT_NE(error_of_reading().find("claim"), std::string::npos);
    }
  }
  EXPECT_LT(peak_kib() - before, 8 * 1024);
}

TEST_F(LyingBlock, IsRefusedWhenItsStepsAreNotThere) {
  Buffer payload(2 * kSections, 0);
  write_block({BlockKind::steps, 0, UINT32_MAX, 0, 0, 0}, payload);
  EXPECT_NE(error_of_reading().find("claims 4294967295 steps"), std::string::npos);
}

Buffer payload_of(const std::array<Buffer, kSections>& sections) {
  Buffer payload;
  for (const Buffer& section : sections) {
    put_varint(payload, section.size());
    put_varint(payload, section.size());
  }
  for (const Buffer& section : sections) {
    payload.insert(payload.end(), section.begin(), section.end());
  }
  return payload;
}

// A step of one token with its id, then a step of three tokens that claims to have the same ids.
TEST_F(LyingBlock, CannotRepeatTokenIdsForAnotherNumberOfTokens) {
  header_.columns = {false, false, false, true};
  std::array<Buffer, kSections> sections;
  sections[size_t(Section::flags)] = {kNewTokenIds, kTokensDiffer};
  sections[size_t(Section::fields)] = {3};
  sections[size_t(Section::ranks_low)] = Buffer(8, 0);
  sections[size_t(Section::token_ids)] = {9};
  write_block({BlockKind::steps, 0, 2, 0, 0, 0}, payload_of(sections));
  std::string error;
  const std::vector<Step> steps = drain(**TraceReader::open(path()), &error);
  ASSERT_EQ(steps.size(), 1U);
  EXPECT_EQ(steps[0].token_ids.size(), 1U);
  EXPECT_NE(error.find("do not fit"), std::string::npos) << error;
}

// Layer 0 is the layer expected first, so no flag is set for it.
TEST_F(LyingBlock, CannotHaveAnExpectedStepInALayerWithoutExperts) {
  header_.columns = {};
  header_.geometry.expert_bytes[0] = 0;
  std::array<Buffer, kSections> sections;
  sections[size_t(Section::flags)] = {0};
  sections[size_t(Section::ranks_low)] = Buffer(2, 0);
  write_block({BlockKind::steps, 0, 1, 0, 0, 0}, payload_of(sections));
  EXPECT_NE(error_of_reading().find("no experts"), std::string::npos);
}

// One step of centuries, and many steps that are centuries together.
TEST_F(LyingBlock, CannotHaveTimesThatNoStepTakes) {
  header_.columns = {false, true, false, false};
  const uint64_t day = uint64_t(Nanoseconds(kLongestStepTime).count());
  for (const auto& [time, steps, message] :
       {std::tuple{uint64_t{1} << 63, size_t{1}, "takes 9223372036854775807 ns"},
        std::tuple{UINT64_MAX, size_t{1}, "takes"}, std::tuple{day + 2, size_t{1}, "24 hours"},
        std::tuple{day + 1, size_t{30'000}, "century"}}) {
    std::array<Buffer, kSections> sections;
    sections[size_t(Section::flags)] = Buffer(steps, 0);
    sections[size_t(Section::ranks_low)] = Buffer(2 * steps, 0);
    for (size_t i = 0; i < 2 * steps; ++i) {
      put_varint(sections[size_t(Section::times)], time);
    }
    write_block({BlockKind::steps, 0, uint32_t(steps), 0, 0, 0}, payload_of(sections));
    EXPECT_NE(error_of_reading_some().find(message), std::string::npos) << error_of_reading_some();
  }
}

TEST_F(LyingBlock, CannotHaveAGateWeightThatIsNoNumber) {
  header_.columns = {true, false, false, false};
  std::array<Buffer, kSections> sections;
  sections[size_t(Section::flags)] = {0};
  sections[size_t(Section::ranks_low)] = Buffer(2, 0);
  for (size_t i = 0; i < 4; ++i) {
    sections[size_t(Section::weights0) + i] = {uint8_t(i == 3 ? 0x7f : i == 2 ? 0xc0 : 0), 0};
  }
  write_block({BlockKind::steps, 0, 1, 0, 0, 0}, payload_of(sections));
  EXPECT_NE(error_of_reading().find("gate weights is nan"), std::string::npos);
}

// An unwanted column is not even decompressed, whichever it is.
TEST_F(LyingBlock, IsReadWithoutTheTokenIdsThatNobodyWants) {
  header_.columns = {false, false, false, true};
  std::array<Buffer, kSections> sections;
  sections[size_t(Section::flags)] = {kNewTokenIds};
  sections[size_t(Section::ranks_low)] = Buffer(2, 0);
  Buffer payload;
  for (size_t i = 0; i < kSections; ++i) {
    put_varint(payload, i == size_t(Section::token_ids) ? 99 : sections[i].size());
    put_varint(payload, i == size_t(Section::token_ids) ? 4 : sections[i].size());
  }
  payload.insert(payload.end(), {kNewTokenIds, 0, 0, 'n', 'o', 'n', 'e'});
  write_block({BlockKind::steps, 0, 1, 0, 0, 0}, payload);
  EXPECT_NE(error_of_reading().find("does not decompress"), std::string::npos);
  EXPECT_EQ(drain(**TraceReader::open(path(), TraceColumns{})).size(), 1U);
}

TEST_F(LyingBlock, SurvivesAnyPayloadThatHashesRight) {
  // Puts seeded noise behind a plausible directory in which every section is stored as it is.
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    std::array<size_t, kSections> sizes{};
    for (size_t& size : sizes) {
      size = rng.below(40);
    }
    Buffer payload;
    size_t total = 0;
    for (const size_t size : sizes) {
      put_varint(payload, size);
      put_varint(payload, size);
      total += size;
    }
    for (size_t i = 0; i < total; ++i) {
      payload.push_back(rng.below(3) == 0 ? 0 : uint8_t(rng.next()));
    }
    write_block({BlockKind::steps, 0, uint32_t(sizes[0]), 0, 0, 0}, payload);
    auto reader = TraceReader::open(path());
    std::string error;
    for (const Step& step : drain(**reader, &error)) {
      EXPECT_LT(step.layer, header_.geometry.layers);
      EXPECT_TRUE(step.token_ids.empty() || step.token_ids.size() == step.tokens);
      for (const ExpertId id : step.experts) {
        EXPECT_EQ(header_.geometry.layer_of(id), step.layer);
      }
    }
  }
}

TEST(LyingHeader, OfTooManyBytesIsRefusedUnread) {
  const TemporaryDirectory scratch;
  uint64_t seed = 0;
  Buffer bytes = *encode_file_head({small_geometry(), "", {}, {}, {}}, seed);
  for (const uint32_t claim : {UINT32_MAX, kMaxHeaderBytes + 1, kMaxHeaderBytes}) {
    std::memcpy(bytes.data() + 12, &claim, 4);
    write_bytes(scratch / "t.bin", bytes);
    EXPECT_FALSE(TraceReader::open(scratch / "t.bin"));
  }
}

TEST(LyingHeader, OfAnImpossibleGeometryIsRefused) {
  const std::string good = header_to_json({small_geometry(), "", {}, {}, {}});
  ASSERT_TRUE(header_from_json(good));
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"\"layers\":3", "\"layers\":4"},
           {"\"layers\":3", "\"layers\":4294967295"},
           {"\"layers\":3", "\"layers\":-3"},
           {"\"layers\":3", "\"layers\":\"3\""},
           {"\"experts_per_layer\":8", "\"experts_per_layer\":70000"},
           {"\"used_top_k\":2", "\"used_top_k\":3"},
           {"\"used_top_k\":2", "\"used_top_k\":0"},
           {"4096", "99999999999999999999"},
           {"[4096", "[[4096]"},
           {"spillway.trace/1", "spillway.trace/2"},
           {"\"columns\":[]", "\"columns\":[\"colour\"]"},
           {"{", "["}}) {
    std::string bad = good;
    const size_t at = bad.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    bad.replace(at, from.size(), to);
    EXPECT_FALSE(header_from_json(bad)) << bad;
  }
  EXPECT_FALSE(header_from_json(std::string(100'000, '[')));
}

}  // namespace
}  // namespace spillway::testing
