#include "stores/unmade_store.h"

#include "stores/stand_in.h"
#include "stores/store.h"
#include "tests/support/store_fixture.h"

namespace spillway {
namespace {

using testing::geometry;
using testing::TemporaryDirectory;

TEST(UnmadeStore, lies_as_the_made_one_will) {
  const TemporaryDirectory directory;
  const ModelGeometry shape = geometry(2, 3, 20000);
  const ScratchOptions options{.directories = {directory.path(), directory.path()}, .ranges_per_expert = 3};
  const UnmadeStore unmade(shape, options, {"stand-in", "another"});
  const auto paths = make_scratch_store(shape, options, [](uint64_t, uint64_t) { return true; });
  ASSERT_TRUE(paths);
  const auto made = open_store(*paths, shape);
  ASSERT_TRUE(made);
  for (uint32_t expert = 0; expert < shape.expert_count(); ++expert) {
    std::vector<ByteRange> wanted;
    std::vector<ByteRange> ranges;
    (*made)->ranges(ExpertId{expert}, wanted);
    unmade.ranges(ExpertId{expert}, ranges);
    ASSERT_EQ(ranges.size(), wanted.size());
    for (size_t i = 0; i < ranges.size(); ++i) {
      EXPECT_EQ(ranges[i].file, wanted[i].file) << expert;
      EXPECT_EQ(ranges[i].offset, wanted[i].offset) << expert;
      EXPECT_EQ(ranges[i].bytes, wanted[i].bytes) << expert;
    }
  }
}

TEST(StandIn, has_no_name_and_can_be_read_by_its_path) {
  const TemporaryDirectory directory;
  const std::optional<StandIn> stand_in = StandIn::make({directory / "not/made/yet", directory.path()});
  ASSERT_TRUE(stand_in);
  ASSERT_EQ(stand_in->files().size(), 2U);
  EXPECT_EQ(directory.entries(), 0U);
  for (const std::string& file : stand_in->files()) {
    EXPECT_EQ(std::filesystem::file_size(file), 4U << 20);
  }
  EXPECT_FALSE(StandIn::make({"/proc"})) << "no file can be made there";
}

}  // namespace
}  // namespace spillway
