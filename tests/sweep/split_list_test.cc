#include <gtest/gtest.h>

#include "app/cli/cli.h"

namespace spillway {
namespace {

using Texts = std::vector<std::string>;

TEST(SplitList, StartsAValueOnlyWhereTheNextPieceDoes) {
  const Texts names = {"uring", "pread", "mmap"};
  EXPECT_EQ(split_list("uring,pread", names), (Texts{"uring", "pread"}));
  EXPECT_EQ(split_list("uring:depth=8,chunk=1MiB,pread", names),
            (Texts{"uring:depth=8,chunk=1MiB", "pread"}));
  EXPECT_EQ(split_list("uring:depth=8,sqpoll,pread:direct", names),
            (Texts{"uring:depth=8,sqpoll", "pread:direct"}));
  EXPECT_EQ(split_list("uring:sqpoll,iopoll", names), (Texts{"uring:sqpoll,iopoll"}));
  EXPECT_EQ(split_list("uring,preed", names), (Texts{"uring", "preed"})) << "a misspelt name is told as one";
  EXPECT_EQ(split_list("1GB,60%,0"), (Texts{"1GB", "60%", "0"}));
  EXPECT_EQ(split_list("lru,lfu:halve_every=9,keep=0,belady"),
            (Texts{"lru", "lfu:halve_every=9,keep=0", "belady"}));
  EXPECT_EQ(split_list("a:path=x:y,path=c:d,b", {"a", "b"}), (Texts{"a:path=x:y,path=c:d", "b"}));
}

}  // namespace
}  // namespace spillway
