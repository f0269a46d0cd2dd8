#include <zlib.h>
#include <zstd.h>

#include "tests/traces/import_testing.h"

namespace spillway::testing {
namespace {

Buffer zstd(std::span<const uint8_t> content) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);  // as the command does
  Buffer packed(ZSTD_compressBound(content.size()));
  packed.resize(ZSTD_compress2(context, packed.data(), packed.size(), content.data(), content.size()));
  ZSTD_freeCCtx(context);
  return packed;
}

Buffer gzip(std::span<const uint8_t> content) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  Buffer packed(deflateBound(&stream, uLong(content.size())));
  stream.next_in = const_cast<uint8_t*>(content.data());
  stream.avail_in = uInt(content.size());
  stream.next_out = packed.data();
  stream.avail_out = uInt(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

Buffer joined(const Buffer& a, const Buffer& b) {
  Buffer both = a;
  both.insert(both.end(), b.begin(), b.end());
  return both;
}

class Compressed : public ::testing::Test {
 protected:
  std::string put(std::span<const uint8_t> bytes) {
    write_bytes(scratch_ / "in", bytes);
    return scratch_ / "in";
  }
  std::string read_all(std::span<const uint8_t> bytes, Buffer& content) {
    Result<PlainInput> input = PlainInput::open(put(bytes));
    EXPECT_TRUE(input);
    content.clear();
    for (Buffer piece(1000);;) {
      Result<size_t> got = input->read_at(content.size(), piece);
      if (!got) {
        return got.error().message;
      }
      content.insert(content.end(), piece.begin(), piece.begin() + ptrdiff_t(*got));
      if (*got < piece.size()) {
        return "";
      }
    }
  }

  static Buffer noise(size_t bytes) {
    Rng rng(5);
    Buffer made(bytes);
    for (uint8_t& byte : made) {
      byte = uint8_t(rng.below(40));
    }
    return made;
  }

  TemporaryDirectory scratch_;
};

TEST_F(Compressed, IsReadAsItWasBefore) {
  const Buffer content = noise(1'000'000);
  const std::span<const uint8_t> first = std::span(content).first(400'000);
  const std::span<const uint8_t> rest = std::span(content).subspan(400'000);
  const Buffer skipped = {0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3};  // a frame of zstd without content
  for (const Buffer& packed : {zstd(content), gzip(content), joined(zstd(first), zstd(rest)),
                               joined(gzip(first), gzip(rest)), joined(skipped, zstd(content)), content}) {
    Buffer got;
    ASSERT_EQ(read_all(packed, got), "");
    EXPECT_EQ(got, content);
    Result<PlainInput> input = PlainInput::open(put(packed));
    ASSERT_TRUE(input);
    EXPECT_EQ(*input->size(), content.size());
    // Backwards and forwards, and beyond the end.
    for (const uint64_t at : {900'000U, 10U, 500'000U, 0U}) {
      Buffer piece(1000);
      ASSERT_EQ(*input->read_at(at, piece), 1000U);
      EXPECT_TRUE(std::equal(piece.begin(), piece.end(), content.begin() + ptrdiff_t(at)));
    }
    Buffer piece(10);
    EXPECT_EQ(*input->read_at(2'000'000, piece), 0U);
  }
}

TEST_F(Compressed, IsRefusedWhereItWasCutOrDamaged) {
  const Buffer content = noise(100'000);
  for (const Buffer& packed : {zstd(content), gzip(content)}) {
    Buffer got;
    for (const size_t cut : {packed.size() - 1, packed.size() / 2, size_t{20}}) {
      EXPECT_NE(read_all(std::span(packed).first(cut), got).find("was cut off"), std::string::npos) << cut;
    }
    Buffer damaged = packed;
    for (size_t at = packed.size() / 2; at < packed.size() / 2 + 200; ++at) {
      damaged[at] = uint8_t(~damaged[at]);
    }
    EXPECT_NE(read_all(damaged, got).find("does not decompress"), std::string::npos);
    EXPECT_NE(read_all(joined(packed, {1, 2, 3, 4, 5, 6, 7, 8}), got).find("does not decompress"),
              std::string::npos);
  }
}

TEST_F(Compressed, IsRefusedWhereAFewBytesStandForGigabytes) {
  const Buffer zeros(64U << 20);
  Buffer bomb;
  for (const Buffer one = zstd(zeros); bomb.size() < 16 * one.size();) {
    bomb = joined(bomb, one);
  }
  Result<PlainInput> input = PlainInput::open(put(bomb));
  ASSERT_TRUE(input);
  const Result<uint64_t> size = input->size();
  ASSERT_FALSE(size);
  EXPECT_NE(size.error().message.find("1024 times"), std::string::npos) << size.error().message;
}

TEST_F(Compressed, MayBeATraceOfOursOrOfOthers) {
  TraceHeader header;
  header.geometry = small_geometry();
  Rng rng(1);
  std::vector<Step> steps(9);
  for (size_t i = 0; i < steps.size(); ++i) {
    steps[i].pass = i / 3;
    steps[i].layer = uint32_t(i % 3);
    steps[i].tokens = 1;
    choose_at_random(header.geometry, rng, steps[i]);
  }
  write_trace(scratch_ / "plain.bin", header, steps);
  const Buffer plain = read_bytes(scratch_ / "plain.bin");
  for (const Buffer& packed : {zstd(plain), gzip(plain)}) {
    const auto reader = TraceReader::open(put(packed));
    ASSERT_TRUE(reader) << reader.error().message;
    Step step;
    size_t read = 0;
    while (*(*reader)->next(step)) {
      EXPECT_EQ(step.choices, steps[read++].choices);
    }
    EXPECT_EQ(read, steps.size());
    EXPECT_FALSE((*reader)->truncated());
  }
  const std::string text = "token,layer,expert\n0,0,3\n0,1,2\n";
  const ImportOptions options = eight_experts();
  for (const Buffer& packed : {zstd({reinterpret_cast<const uint8_t*>(text.data()), text.size()}),
                               gzip({reinterpret_cast<const uint8_t*>(text.data()), text.size()})}) {
    const Imported got = import_all(put(packed), options);
    EXPECT_EQ(got.error, "");
    EXPECT_EQ(got.steps.size(), 2U);
  }
}

}  // namespace
}  // namespace spillway::testing
