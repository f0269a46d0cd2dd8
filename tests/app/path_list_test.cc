#include "app/cli/path_list.h"

#include <gtest/gtest.h>

#include "tests/support/files.h"

namespace spillway {
namespace {

using Paths = std::vector<std::string>;

class PathListTest : public testing::Test {
 protected:
  std::string make(const std::string& name) const {
    const std::string path = folder_ / name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    test::write_file(path, "x");
    return path;
  }
  test::TemporaryDirectory folder_;
};

TEST_F(PathListTest, commas_separate_paths) {
  EXPECT_EQ(split_paths("a.store,b.store,c.store"), (Paths{"a.store", "b.store", "c.store"}));
  EXPECT_EQ(split_paths("a.store"), Paths{"a.store"});
  EXPECT_EQ(split_paths(",a.store,,"), Paths{"a.store"});
  EXPECT_EQ(split_paths(""), Paths{});
}

TEST_F(PathListTest, a_comma_may_be_part_of_a_path_that_is_there) {
  const std::string drive = make("Samsung 990 PRO, 2TB/x.store");
  EXPECT_EQ(split_paths(drive), Paths{drive});
  const std::string folder = folder_ / "Samsung 990 PRO, 2TB";
  EXPECT_EQ(split_paths(folder), Paths{folder});
  EXPECT_EQ(split_paths(drive + ".none"), (Paths{folder_ / "Samsung 990 PRO", " 2TB/x.store.none"}));
}

TEST_F(PathListTest, several_paths_may_each_have_commas) {
  const std::string one = make("a, b/x.0");
  const std::string two = make("c,\n\"d\"/x.1");
  const std::string plain = make("plain");
  EXPECT_EQ(split_paths(one + "," + two), (Paths{one, two}));
  EXPECT_EQ(split_paths(plain + "," + one + "," + plain), (Paths{plain, one, plain}));
}

TEST_F(PathListTest, a_backslash_keeps_a_comma_in_a_path_that_is_not_there) {
  EXPECT_EQ(split_paths("new\\, folder/x,other"), (Paths{"new, folder/x", "other"}));
  EXPECT_EQ(split_paths("ends in\\,"), Paths{"ends in,"});
  EXPECT_EQ(split_paths("C:\\a,b"), (Paths{"C:\\a", "b"}));
}

TEST_F(PathListTest, a_name_with_a_backslash_before_its_comma_is_found_as_it_is) {
  const std::string odd = make("odd\\,name");
  EXPECT_EQ(split_paths(odd), Paths{odd});
  const std::string plain = make("with,comma");
  std::string escaped = plain;
  escaped.insert(escaped.find(','), "\\");
  EXPECT_EQ(split_paths(escaped), Paths{plain});
}

TEST_F(PathListTest, what_is_longer_and_there_comes_first) {
  const std::string whole = make("a,b");
  make("a");
  EXPECT_EQ(split_paths(whole), Paths{whole});
}

TEST_F(PathListTest, brackets_quotes_and_bytes_that_are_no_text_stay) {
  for (const char* name : {"[2TB,x]", "'quoted, twice'", "\"x\",\"y\"", "\xff,\x01"}) {
    const std::string path = make(name);
    EXPECT_EQ(split_paths(path), Paths{path});
  }
}

}  // namespace
}  // namespace spillway
