#include "app/stores/cache_folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "app/stores/new_store.h"
#include "core/json.h"
#include "stores/scratch_store.h"
#include "tests/support/files.h"

namespace spillway {
namespace {

ModelGeometry shape(uint32_t layers) {
  ModelGeometry geometry;
  geometry.layers = layers;
  geometry.experts_per_layer = 8;
  geometry.top_k = geometry.used_top_k = 2;
  geometry.expert_bytes.assign(layers, 8192);
  return geometry;
}

class CacheOfStores : public testing::Test {
 protected:
  std::string make(uint32_t layers) {
    const Result<std::vector<std::string>> made = make_scratch_store(
        shape(layers), {.directories = {folder_.path()}}, [](uint64_t, uint64_t) { return true; });
    EXPECT_TRUE(made) << made.error().message;
    return made->front();
  }
  CacheFolder open() { return *open_cache_folder(folder_.path()); }

  const test::TemporaryDirectory folder_;
};

TEST_F(CacheOfStores, ListsWhatSpillwayMadeAndNothingElse) {
  const std::string ours = make(1);
  test::write_file(folder_ / "scratch-9x9-0123456789abcdef-1r.store",
                   "a file of somebody else under such a name");
  test::write_file(folder_ / "empty.store", "");
  std::filesystem::create_directory(folder_ / "folder.store");
  std::filesystem::create_symlink(ours, folder_ / "link.store");
  const CacheFolder folder = open();
  ASSERT_EQ(folder.stores.size(), 1U);
  EXPECT_EQ(folder.stores.front().path, ours);
  EXPECT_FALSE(folder.stores.front().in_use);
  EXPECT_GE(folder.bytes(), 8U * 8192);
  EXPECT_NE(to_table(folder).find("1 layer"), std::string::npos) << to_table(folder);
  EXPECT_EQ(to_json(folder)["stores"][0]["experts_per_layer"], 8);
}

TEST_F(CacheOfStores, AStoreUnderAnotherNameIsStillOurs) {
  std::filesystem::rename(make(2), folder_ / "renamed");
  ASSERT_EQ(open().stores.size(), 1U);
  EXPECT_EQ(name_of(open().stores.front()), "renamed");
}

TEST_F(CacheOfStores, AFolderThatDoesNotExistHoldsNothing) {
  const Result<CacheFolder> folder = open_cache_folder(folder_ / "none");
  ASSERT_TRUE(folder);
  EXPECT_TRUE(folder->stores.empty());
  EXPECT_NE(to_table(*folder).find("no stores"), std::string::npos);
}

TEST_F(CacheOfStores, KeepsAStoreInUseAndRemovesItAfterwards) {
  const std::string path = make(1);
  {
    const StoreUse use(std::vector<std::string>{path}, true);
    const StoreUse second(std::vector<std::string>{path}, true);
    EXPECT_TRUE(open().stores.front().in_use);
    const Result<bool> removed = remove_scratch_file(open().stores.front());
    ASSERT_TRUE(removed);
    EXPECT_FALSE(*removed);
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_TRUE(*remove_scratch_file(open().stores.front()));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(CacheOfStores, ALookIsNoUseAndAUseIsRemembered) {
  const std::string path = make(1);
  const timespec times[2] = {{1'000'000'000, 0}, {1'000'000'001, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  EXPECT_EQ(open().stores.front().last_used, 1'000'000'000);
  EXPECT_EQ(open().stores.front().last_used, 1'000'000'000);
  { const StoreUse use(std::vector<std::string>{path}, true); }
  EXPECT_GT(open().stores.front().last_used, std::time(nullptr) - 60);
}

TEST_F(CacheOfStores, ChoosesByNameAndByAge) {
  const std::string old = make(1);
  const std::string fresh = make(2);
  const timespec times[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, old.c_str(), times, 0), 0);
  const CacheFolder folder = open();
  const std::time_t week_ago = std::time(nullptr) - *parse_age("1w");
  ASSERT_EQ(choose_stores(folder, {}, week_ago)->size(), 1U);
  EXPECT_EQ(choose_stores(folder, {}, week_ago)->front().path, old);
  EXPECT_EQ(choose_stores(folder, {}, std::time(nullptr) + 1)->size(), 2U);
  const std::string name = std::filesystem::path(fresh).stem();
  EXPECT_EQ(choose_stores(folder, {name}, std::time(nullptr) + 1)->front().path, fresh);
  EXPECT_TRUE(choose_stores(folder, {name}, week_ago)->empty());
  EXPECT_EQ(choose_stores(folder, {"another"}, week_ago).error().kind, ErrorKind::usage);
}

TEST(ParseAge, TakesWholeNumbersWithAUnit) {
  EXPECT_EQ(*parse_age("90min"), 5400);
  EXPECT_EQ(*parse_age("12h"), 43200);
  EXPECT_EQ(*parse_age("7d"), 604800);
  EXPECT_EQ(*parse_age("0d"), 0);
  for (const char* bad : {"", "7", "d", "-7d", "7 d", "1.5d", "7days", "99999999999999999999d"}) {
    EXPECT_EQ(parse_age(bad).error().kind, ErrorKind::usage) << bad;
  }
}

TEST(NewStore, AsksOnlyForALargeStoreWhosePlaceNobodyNamed) {
  constexpr uint64_t kLarge = kMostUnasked + 1;
  EXPECT_EQ(before_making(kMostUnasked, {}, false), BeforeMaking::tell);
  EXPECT_EQ(before_making(kLarge, {}, true), BeforeMaking::ask);
  EXPECT_EQ(before_making(kLarge, {}, false), BeforeMaking::refuse);
  EXPECT_EQ(before_making(kLarge, {.yes = true}, false), BeforeMaking::tell);
  EXPECT_EQ(before_making(kLarge, {.place_named = true}, false), BeforeMaking::tell);
}

TEST(NewStore, IsDescribedByPlaceSizeTimeAndRemoval) {
  const test::TemporaryDirectory folder;
  const std::vector<std::string> paths = {folder / "not made yet/a.store", folder / "not made yet/b.store"};
  const std::string line = describe(NewStore{paths, 3'000'000'000, removal_of(paths, false)});
  for (const std::string& part :
       {std::string(kNewStoreLine) + "3.00 GB", paths.front(), std::string("1 more file"),
        std::string(" on "), std::string("trial write"), "rm '" + paths.front() + "'"}) {
    EXPECT_NE(line.find(part), std::string::npos) << part << " is not in: " << line;
  }
  EXPECT_FALSE(std::filesystem::exists(folder / "not made yet")) << "the trial left something";
  EXPECT_EQ(folder.entries(), 0U);
  EXPECT_EQ(removal_of({"/c/scratch-1.store"}, true), "to remove it: spillway cache clean scratch-1");
}

}  // namespace
}  // namespace spillway
