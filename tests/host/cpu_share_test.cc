#include "host/linux/cpu_share.h"

#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "host/posix_file.h"
#include "tests/support/store_fixture.h"

namespace spillway {
namespace {

using testing::TemporaryDirectory;

// A tree as in /sys/fs/cgroup: the files of each group, and the group that is asked about.
struct Tree {
  explicit Tree(int cgroup_version) : version(cgroup_version) {}

  void write(const std::string& group, const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(root.path() + group);
    testing::write_file(root.path() + group + "/" + name, text);
  }
  std::optional<double> quota(const std::string& group) const {
    return cpu_quota({version, root.path() + group, root.path()});
  }

  TemporaryDirectory root;
  int version;
};

TEST(CpuQuotaTest, is_the_least_of_all_ancestors_in_version_2) {
  const Tree tree(2);
  tree.write("/machine", "cpu.max", "250000 100000\n");
  tree.write("/machine/job", "cpu.max", "max 100000\n");
  tree.write("/machine/job/step", "cpu.max", "400000 100000\n");
  tree.write("/machine/half", "cpu.max", "10000 20000\n");
  EXPECT_EQ(tree.quota("/machine/job/step"), 2.5);
  EXPECT_EQ(tree.quota("/machine/job"), 2.5);
  EXPECT_EQ(tree.quota("/machine/half"), 0.5);
}

TEST(CpuQuotaTest, is_the_least_of_all_ancestors_in_version_1) {
  const Tree tree(1);
  tree.write("", "cpu.cfs_quota_us", "-1\n");
  tree.write("", "cpu.cfs_period_us", "100000\n");
  tree.write("/docker", "cpu.cfs_quota_us", "400000\n");
  tree.write("/docker", "cpu.cfs_period_us", "100000\n");
  tree.write("/docker/1", "cpu.cfs_quota_us", "75000\n");
  tree.write("/docker/1", "cpu.cfs_period_us", "50000\n");
  tree.write("/docker/2", "cpu.cfs_quota_us", "-1\n");
  tree.write("/docker/2", "cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(tree.quota("/docker/1"), 1.5);
  EXPECT_EQ(tree.quota("/docker/2"), 4.0);
  EXPECT_EQ(tree.quota(""), std::nullopt);
}

// In a container the group is the root of what is mounted.
TEST(CpuQuotaTest, looks_at_the_root_of_the_mounted_tree_too) {
  const Tree tree(2);
  tree.write("", "cpu.max", "300000 100000\n");
  EXPECT_EQ(tree.quota(""), 3.0);
  tree.write("/below", "memory.max", "max\n");
  EXPECT_EQ(tree.quota("/below"), 3.0);
}

TEST(CpuQuotaTest, is_none_where_the_files_say_nothing) {
  const Tree two(2);
  for (const char* text :
       {"", "max", "max 100000\n", "0 100000\n", "words and more\n", "50000\n", "50000 0\n"}) {
    two.write("/g", "cpu.max", text);
    EXPECT_EQ(two.quota("/g"), std::nullopt) << text;
  }
  EXPECT_EQ(Tree(1).quota("/not/there"), std::nullopt);
}

TEST(ThreadsWithinTest, are_the_lesser_of_processors_and_quota_rounded_down_and_at_least_one) {
  EXPECT_EQ(threads_within(64, 4.0), 4U);
  EXPECT_EQ(threads_within(64, 3.9), 3U);
  EXPECT_EQ(threads_within(2, 16.0), 2U);
  EXPECT_EQ(threads_within(8, std::nullopt), 8U);
  EXPECT_EQ(threads_within(8, 0.5), 1U);
  EXPECT_EQ(threads_within(0, std::nullopt), 1U);
}

// Returns usable_threads() of a child process that ran `first`; -1 if that returned false.
int threads_of_a_child(const std::function<bool()>& first) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(first() ? int(usable_threads()) : 255);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 255;
  return code == 255 ? -1 : code;
}

TEST(UsableThreadsTest, are_those_that_the_process_is_bound_to) {
  const int threads = threads_of_a_child([] {
    cpu_set_t all;
    cpu_set_t one;
    CPU_ZERO(&one);
    if (::sched_getaffinity(0, sizeof(all), &all) != 0) {
      return false;
    }
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &all)) {
        CPU_SET(i, &one);
        break;
      }
    }
    return ::sched_setaffinity(0, sizeof(one), &one) == 0;
  });
  EXPECT_EQ(threads, 1);
}

// A control group with a quota of `percent` of one processor; empty where this user may not make one.
class QuotaGroup {
 public:
  explicit QuotaGroup(int percent) {
    const std::optional<OwnCgroup> own = own_cgroup("cpu");
    if (!own) {
      return;
    }
    const std::string path = own->directory + "/spillway-test-" + std::to_string(::getpid());
    if (::mkdir(path.c_str(), 0755) != 0) {
      return;
    }
    const std::string quota = std::to_string(percent * 1000);
    const bool set = own->version == 1 ? write_text(path + "/cpu.cfs_period_us", "100000") == 0 &&
                                             write_text(path + "/cpu.cfs_quota_us", quota) == 0
                                       : write_text(path + "/cpu.max", quota + " 100000") == 0;
    if (set) {
      path_ = path;
    } else {
      ::rmdir(path.c_str());
    }
  }
  ~QuotaGroup() { ::rmdir(path_.c_str()); }
  QuotaGroup(const QuotaGroup&) = delete;
  QuotaGroup& operator=(const QuotaGroup&) = delete;

  bool made() const { return !path_.empty(); }
  bool enter() const { return write_text(path_ + "/cgroup.procs", "0") == 0; }

 private:
  std::string path_;
};

TEST(UsableThreadsTest, are_within_the_quota_of_the_control_group) {
  for (const int percent : {50, 150}) {
    const QuotaGroup group(percent);
    if (!group.made()) {
      GTEST_SKIP() << "this user may not make a control group with a quota of processor time here";
    }
    EXPECT_EQ(threads_of_a_child([&] { return group.enter(); }), 1) << percent;
  }
}

}  // namespace
}  // namespace spillway
