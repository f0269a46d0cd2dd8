#include "stores/pack_store.h"

#include <fcntl.h>
#include <sys/mount.h>

#include <array>
#include <numeric>

#include "core/units.h"
#include "stores/model_fingerprint.h"
#include "stores/packed_index.h"
#include "tests/support/store_fixture.h"

namespace spillway {
namespace {

using testing::flip_byte;
using testing::geometry;
using testing::memory_directory;
using testing::mentions;
using testing::read_file;
using testing::TemporaryDirectory;
using testing::write_file;

constexpr auto kGoOn = [](uint64_t, uint64_t) { return true; };
constexpr uint32_t kExperts = 5;

// A model of three layers of five experts in two files: gate, up and down; gate_up and down; no experts.
class PackStore : public ::testing::Test {
 protected:
  PackStore() {
    write_file(tables_.files[0], testing::filled(300'000));
    write_file(tables_.files[1], testing::filled(90'001).substr(1));
    plan_.path = directory_ / "model.store";
    plan_.tables = tables_;
    plan_.content.layout = "id";
    plan_.content.parts = {
        {{"gate", 10'000}, {"up", 10'000}, {"down", 12'345}}, {{"gate_up", 7'000}, {"down", 999}}, {}};
    plan_.content.origin = *model_fingerprint(std::array{ModelFile{tables_.files[0], 100}});
    plan_.slots = {3, 0, 4, 1, 2, 0, 1, 2, 3, 4, 4, 3, 2, 1, 0};
    shape_.expert_bytes = {32'345, 7'999, 0};
  }

  // Returns an expert's bytes from the model's files.
  std::string original(uint32_t layer, uint32_t expert) const {
    std::string bytes;
    for (const ExpertTable& part : tables_.layers[layer]) {
      bytes += read_file(tables_.files[part.file]).substr(part.offset + expert * part.bytes, part.bytes);
    }
    return bytes;
  }

  std::unique_ptr<ExpertStore> packed() {
    const Result<uint64_t> bytes = pack_store(plan_, kGoOn);
    EXPECT_TRUE(bytes) << bytes.error().message;
    EXPECT_EQ(bytes.value_or(0), std::filesystem::file_size(plan_.path));
    Result<std::unique_ptr<ExpertStore>> store = open_store({plan_.path}, shape_);
    EXPECT_TRUE(store) << store.error().message;
    return store ? std::move(*store) : nullptr;
  }

  std::string refusal(const std::string& path) const {
    const auto opened = open_store({path}, shape_);
    return opened ? "opened" : opened.error().message;
  }

  TemporaryDirectory directory_;
  ExpertTables tables_{{directory_ / "a.gguf", directory_ / "b.gguf"},
                       kExperts,
                       {{{0, 100, 10'000}, {0, 60'000, 10'000}, {0, 120'003, 12'345}},
                        {{1, 32, 7'000}, {0, 200'000, 999}},
                        {}}};
  PackPlan plan_;
  ModelGeometry shape_ = geometry(3, kExperts, 0);
};

ByteRange range_of(const ExpertStore& store, uint32_t index) {
  std::vector<ByteRange> ranges;
  store.ranges(ExpertId{index}, ranges);
  EXPECT_EQ(ranges.size(), 1U);
  return ranges.at(0);
}

TEST_F(PackStore, HoldsEveryExpertsPartsWithoutGapsInOneAlignedRange) {
  const auto store = packed();
  ASSERT_NE(store, nullptr);
  const std::string file = read_file(plan_.path);
  for (uint32_t index = 0; index < 2 * kExperts; ++index) {
    const ByteRange range = range_of(*store, index);
    EXPECT_EQ(range.offset % kPackedAlignment, 0U);
    EXPECT_EQ(file.substr(range.offset, range.bytes), original(index / kExperts, index % kExperts)) << index;
  }
  std::vector<ByteRange> ranges;
  store->ranges(ExpertId{2 * kExperts}, ranges);
  EXPECT_TRUE(ranges.empty()) << "the last layer has no experts";
}

TEST_F(PackStore, PutsEachExpertIntoTheSlotOfThePlan) {
  const auto store = packed();
  ASSERT_NE(store, nullptr);
  for (uint32_t index = 0; index < kExperts; ++index) {
    EXPECT_EQ(range_of(*store, index).offset, kPackedDataOffset + plan_.slots[index] * 32'768);
  }
}

TEST_F(PackStore, ChecksumsCatchAnyFlippedByteOfAnExpert) {
  const auto store = packed();
  ASSERT_NE(store, nullptr);
  ASSERT_TRUE(store->can_check());
  const std::string file = read_file(plan_.path);
  for (uint32_t index = 0; index < 2 * kExperts; ++index) {
    const ByteRange range = range_of(*store, index);
    std::string bytes = file.substr(range.offset, range.bytes);
    const auto check = [&](ExpertStore::Check how) {
      return store->check(ExpertId{index}, range, std::as_bytes(std::span(bytes)), how);
    };
    EXPECT_TRUE(check(ExpertStore::Check::all));
    EXPECT_TRUE(check(ExpertStore::Check::sample));
    for (uint64_t at = index; at < bytes.size(); at += 501) {
      bytes[at] = char(bytes[at] ^ 4);
      EXPECT_FALSE(check(ExpertStore::Check::all)) << "byte " << at;
      bytes[at] = char(bytes[at] ^ 4);
    }
    for (const uint64_t at : {uint64_t(0), range.bytes - 1}) {
      bytes[at] = char(bytes[at] ^ 4);
      EXPECT_FALSE(check(ExpertStore::Check::sample)) << "both ends are in every sample";
      bytes[at] = char(bytes[at] ^ 4);
    }
  }
}

TEST_F(PackStore, EvenASampleCatchesAnotherExpertsBytes) {
  const auto store = packed();
  ASSERT_NE(store, nullptr);
  const std::string file = read_file(plan_.path);
  const ByteRange other = range_of(*store, 3);
  const std::string bytes = file.substr(other.offset, other.bytes);
  EXPECT_FALSE(store->check(ExpertId{2}, range_of(*store, 2), std::as_bytes(std::span(bytes)),
                            ExpertStore::Check::sample));
}

TEST_F(PackStore, SaysWhichModelItWasPackedFrom) {
  ASSERT_NE(packed(), nullptr);
  const auto origin = packed_origin(plan_.path);
  ASSERT_TRUE(origin) << origin.error().message;
  ASSERT_TRUE(*origin);
  EXPECT_EQ(**origin, plan_.content.origin);
  EXPECT_EQ((*origin)->files.at(0).name, "a.gguf");
  EXPECT_EQ((*origin)->files.at(0).bytes, 300'000U);
}

TEST_F(PackStore, AHeaderComesBackAsItWasWritten) {
  ASSERT_NE(packed(), nullptr);
  const auto file = InputFile::open(plan_.path);
  const auto header = read_packed_header(*file);
  ASSERT_TRUE(header) << header.error().message;
  PackedContent expected = plan_.content;
  expected.index_checksum = header->packed->index_checksum;
  EXPECT_EQ(*header->packed, expected);
  EXPECT_EQ(header->expert_bytes, shape_.expert_bytes);
  EXPECT_FALSE(header->seed);
}

TEST_F(PackStore, AFileCutOffAnywhereIsRefusedByName) {
  ASSERT_NE(packed(), nullptr);
  const std::string whole = read_file(plan_.path);
  const TemporaryDirectory memory(memory_directory());
  const std::string cut = memory / "cut";
  const auto file = InputFile::open(plan_.path);
  const size_t header = write_packed_header(*read_packed_header(*file))->size();
  for (size_t length = 0; length < header + 100; ++length) {
    write_file(cut, whole.substr(0, length));
    EXPECT_TRUE(mentions(refusal(cut), cut)) << length;
    EXPECT_EQ(packed_origin(cut).has_value(), length >= header) << length;
  }
  const uint64_t entries = 3 * kExperts * sizeof(PackedEntry);
  const uint64_t end = round_down(whole.size() - 1, kPackedAlignment) + entries;
  write_file(cut, whole.substr(0, end));
  EXPECT_TRUE(open_store({cut}, shape_)) << "the bytes behind the entries are padding";
  for (uint64_t length = end - 1; length + entries + 10 > end; --length) {
    std::filesystem::resize_file(cut, length);
    EXPECT_TRUE(mentions(refusal(cut), "cut off")) << length;
  }
}

TEST_F(PackStore, AFlippedBitInHeaderOrEntriesIsRefused) {
  ASSERT_NE(packed(), nullptr);
  std::string whole = read_file(plan_.path);
  const auto file = InputFile::open(plan_.path);
  const auto header = read_packed_header(*file);
  ASSERT_TRUE(header);
  const uint64_t text = write_packed_header(*header)->size();
  const uint64_t entries = PackedLayout(*header).file_bytes();
  for (uint64_t bit = 0; bit < text * 8; bit += 29) {
    flip_byte(plan_.path, bit / 8);
    EXPECT_NE(refusal(plan_.path), "opened") << bit / 8;
    flip_byte(plan_.path, bit / 8);
  }
  for (uint64_t at = 0; at < 3 * kExperts * sizeof(PackedEntry); at += 5) {
    flip_byte(plan_.path, entries + at);
    EXPECT_TRUE(mentions(refusal(plan_.path), "checksums")) << at;
    flip_byte(plan_.path, entries + at);
  }
  EXPECT_EQ(refusal(plan_.path), "opened");
}

// Headers with a correct checksum and false contents.
TEST_F(PackStore, AHeaderThatContradictsItselfIsRefused) {
  ASSERT_NE(packed(), nullptr);
  const auto file = InputFile::open(plan_.path);
  const PackedHeader good = *read_packed_header(*file);
  const auto refuse = [&](const PackedHeader& lie) {
    const std::string path = directory_ / "lie";
    write_file(path, *write_packed_header(lie));
    const auto opened = InputFile::open(path);
    const auto read = read_packed_header(*opened);
    return read ? "read" : read.error().message;
  };
  EXPECT_EQ(refuse(good), "read");
  PackedHeader lie = good;
  lie.pieces = 2;
  EXPECT_TRUE(mentions(refuse(lie), "in one file"));
  lie = good;
  lie.parts = 3;
  EXPECT_TRUE(mentions(refuse(lie), "one range per expert"));
  lie = good;
  lie.seed = 1;
  EXPECT_TRUE(mentions(refuse(lie), "says otherwise"));
  lie = good;
  lie.packed->origin.files.clear();
  EXPECT_TRUE(mentions(refuse(lie), "0 model files"));
  lie = good;
  lie.packed->parts.pop_back();
  EXPECT_TRUE(mentions(refuse(lie), "parts of 2 layers"));
  lie = good;
  lie.packed->parts[0][1].bytes = UINT64_MAX - 22'344;
  EXPECT_TRUE(mentions(refuse(lie), "layer 0 do not make up its 32345 bytes"));
  lie = good;
  lie.packed->parts[1].pop_back();
  EXPECT_TRUE(mentions(refuse(lie), "layer 1 do not"));
  lie = good;
  lie.expert_bytes[0] = UINT64_MAX;
  EXPECT_TRUE(mentions(refuse(lie), "at most"));
  lie = good;
  lie.layers = 1U << 30;
  EXPECT_TRUE(mentions(refuse(lie), "at most"));
}

TEST_F(PackStore, EntriesThatGiveOneSlotTwiceAreRefusedThoughTheirChecksumIsRight) {
  ASSERT_NE(packed(), nullptr);
  const auto file = InputFile::open(plan_.path);
  PackedHeader header = *read_packed_header(*file);
  std::vector<PackedEntry> entries = *read_packed_index(*file, header);
  std::string whole = read_file(plan_.path);
  for (const uint32_t slot : {entries[6].slot, kExperts, ~uint32_t(0)}) {
    std::vector<PackedEntry> lie = entries;
    lie[7].slot = slot;
    header.packed->index_checksum = index_checksum(lie);
    const std::string text = *write_packed_header(header);
    whole.replace(0, text.size(), text);
    whole.replace(PackedLayout(header).file_bytes(), lie.size() * sizeof(PackedEntry),
                  reinterpret_cast<const char*>(lie.data()), lie.size() * sizeof(PackedEntry));
    write_file(plan_.path, whole);
    EXPECT_TRUE(mentions(refusal(plan_.path), "two experts of layer 1")) << slot;
  }
}

TEST_F(PackStore, LeavesAFileThatIsThereAloneUnlessToldToReplaceIt) {
  write_file(plan_.path, "precious");
  const auto refused = pack_store(plan_, kGoOn);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(mentions(refused.error().message, "--force")) << refused.error().message;
  EXPECT_EQ(read_file(plan_.path), "precious");
  plan_.replace = true;
  EXPECT_NE(packed(), nullptr);
  plan_.path = tables_.files[0];
  const auto itself = pack_store(plan_, kGoOn);
  ASSERT_FALSE(itself);
  EXPECT_TRUE(mentions(itself.error().message, "the model itself"));
  plan_.path = directory_.path();
  EXPECT_FALSE(pack_store(plan_, kGoOn)) << "a directory";
  EXPECT_EQ(directory_.entries(), 3U);
}

TEST_F(PackStore, StoppingLeavesNothingBehindAndTheOldStoreInPlace) {
  const auto stop = [](uint64_t done, uint64_t total) {
    EXPECT_LE(done, total);
    return false;
  };
  const auto stopped = pack_store(plan_, stop);
  ASSERT_FALSE(stopped);
  EXPECT_TRUE(mentions(stopped.error().message, "stopped"));
  EXPECT_EQ(directory_.entries(), 2U);
  write_file(plan_.path, "old");
  plan_.replace = true;
  EXPECT_FALSE(pack_store(plan_, stop));
  EXPECT_EQ(read_file(plan_.path), "old");
}

TEST_F(PackStore, AModelThatEndsTooEarlyIsNamedWithTheOffset) {
  std::filesystem::resize_file(tables_.files[1], 20'000);
  const auto failed = pack_store(plan_, kGoOn);
  ASSERT_FALSE(failed);
  EXPECT_TRUE(mentions(failed.error().message, tables_.files[1]) && mentions(failed.error().message, "20000"))
      << failed.error().message;
  EXPECT_EQ(directory_.entries(), 2U);
}

TEST_F(PackStore, AFullDiskIsSeenBeforeAnythingIsWritten) {
  const TemporaryDirectory small;
  if (::mount("tmpfs", small.path().c_str(), "tmpfs", 0, "size=8m") != 0) {
    GTEST_SKIP() << "this user may not mount the small tmpfs that the test fills: " << error_text(errno);
  }
  plan_.path = small / "model.store";
  bool reported = false;
  const auto refused = pack_store(plan_, [&](uint64_t, uint64_t) { return reported = true; });
  const size_t left = small.entries();
  ::umount(small.path().c_str());
  ASSERT_FALSE(refused);
  EXPECT_TRUE(mentions(refused.error().message, "no room")) << refused.error().message;
  EXPECT_FALSE(reported);
  EXPECT_EQ(left, 0U);
}

TEST_F(PackStore, AFileNameThatIsNoUtf8IsNoHindrance) {
  plan_.content.origin.files[0].name = "b\xff.gguf";
  EXPECT_NE(packed(), nullptr);
}

TEST_F(PackStore, AStoreOfAnotherShapeIsRefusedShowingBoth) {
  ASSERT_NE(packed(), nullptr);
  shape_.expert_bytes[1] = 8'000;
  const std::string message = refusal(plan_.path);
  EXPECT_TRUE(mentions(message, "experts of 0 to 32345 bytes") && mentions(message, "the trace needs"))
      << message;
}

// Users keep stores of gigabytes in their caches: this is the header of a store that an
// earlier version wrote.
TEST(PackedFormat, ScratchStoresOfBeforeAreStillTheSame) {
  const std::string text =
      R"({"alignment":4096,"content":{"generated":1},"data_offset":2097152,"geometry":{"expert_bytes":[8192,)"
      R"(8192],"experts_per_layer":16,"layers":2},"piece":{"count":1,"index":0},"ranges_per_expert":1,)"
      R"("schema":"spillway.store/1"})";
  const std::string before =
      std::string("SPILLWAY-STORE/1\xdc\0\0\0\0\0\0\0\xe8\x13\xd9\xbc\x94\x31\x42\xb6", 32) + text;
  PackedHeader header;
  header.layers = 2;
  header.experts_per_layer = 16;
  header.expert_bytes = {8192, 8192};
  header.seed = 1;
  EXPECT_EQ(*write_packed_header(header), before);
  const TemporaryDirectory directory;
  write_file(directory / "old", before);
  const auto file = InputFile::open(directory / "old");
  const auto read = read_packed_header(*file);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, header);
  const auto origin = packed_origin(directory / "old");
  ASSERT_TRUE(origin) << origin.error().message;
  EXPECT_FALSE(*origin) << "its content was not packed from any model";
}

TEST(PackedFormat, TheOriginOfWhatIsNoStoreIsAnError) {
  const TemporaryDirectory directory;
  write_file(directory / "text", std::string(100, 'x'));
  for (const std::string& path : {directory / "text", directory / "missing", directory.path()}) {
    const auto origin = packed_origin(path);
    ASSERT_FALSE(origin);
    EXPECT_TRUE(mentions(origin.error().message, path)) << origin.error().message;
  }
}

class ModelFingerprint : public ::testing::Test {
 protected:
  uint64_t of(const std::string& bytes, const std::string& name = "m.gguf", uint64_t head = 5'000) {
    write_file(directory_ / name, bytes);
    return model_fingerprint(std::array{ModelFile{directory_ / name, head}})->fingerprint;
  }

  TemporaryDirectory directory_;
  std::string bytes_ = testing::filled(1'000'000);
};

TEST_F(ModelFingerprint, IsOfTheContentAndNotOfTheName) {
  EXPECT_EQ(of(bytes_), of(bytes_, "other.gguf"));
  EXPECT_NE(of(bytes_), of(bytes_ + "x"));
  const auto file = directory_ / "m.gguf";
  const auto twice = model_fingerprint(std::array{ModelFile{file, 5'000}, ModelFile{file, 5'000}});
  EXPECT_NE(twice->fingerprint, of(bytes_));
  EXPECT_EQ(twice->files.size(), 2U);
}

TEST_F(ModelFingerprint, SeesEveryByteOfTheHeadAndOtherWeightsBehindIt) {
  const uint64_t fingerprint = of(bytes_);
  for (const size_t at : {0, 1234, 4999}) {
    std::string other = bytes_;
    other[at] = char(other[at] ^ 1);
    EXPECT_NE(of(other), fingerprint) << at;
  }
  std::string trained_on = bytes_;
  for (size_t at = 5'000; at < trained_on.size(); at += 1'000) {
    trained_on[at] = char(trained_on[at] ^ 1);
  }
  EXPECT_NE(of(trained_on), fingerprint);
}

TEST_F(ModelFingerprint, IsHadOfSmallFilesAndFailsOnMissingOnes) {
  EXPECT_NE(of(""), of("a"));
  EXPECT_NE(of(bytes_.substr(0, 5'100)), of(bytes_.substr(0, 5'099)));
  const auto missing = model_fingerprint(std::array{ModelFile{directory_ / "none", 1}});
  ASSERT_FALSE(missing);
  EXPECT_TRUE(mentions(missing.error().message, "none"));
}

}  // namespace
}  // namespace spillway
