#include "app/cli/completion.h"

#include <gtest/gtest.h>

namespace spillway {
namespace {

OptionDescription option(const std::vector<std::string>& spellings, const std::string& value) {
  OptionDescription option;
  option.name = spellings.empty() ? "word" : spellings.back();
  option.spellings = spellings;
  option.value = value;
  return option;
}

OptionDescription several(OptionDescription option, bool in_a_row) {
  option.several = true;
  option.in_a_row = in_a_row;
  return option;
}

CommandDescription command(const std::string& name) {
  CommandDescription command;
  command.name = name;
  return command;
}

// `lab run OPTIONS TRACE`, `lab trace info`, `lab trace cut` and `lab help COMMAND...`
CommandDescription program() {
  CommandDescription run = command("run");
  OptionDescription pages = option({"--pages"}, "TEXT");
  pages.choices = {"small", "thp"};
  run.options = {option({}, "TRACE"),
                 option({"-b", "--backend"}, "BACKEND"),
                 option({"--policy"}, "POLICIES"),
                 pages,
                 several(option({"--store"}, "DIR"), true),
                 several(option({"--prompt"}, "TEXT"), false),
                 option({"--cache"}, "SIZE"),
                 option({"--quiet"}, "")};
  CommandDescription trace = command("trace");
  trace.commands = {command("info"), command("cut")};
  CommandDescription help = command("help");
  help.options = {several(option({}, "COMMAND"), true)};
  CommandDescription lab = command("lab");
  lab.commands = {run, trace, help};
  return lab;
}

std::vector<NamedMember> members_of(const std::string& family) {
  if (family == "backends") {
    return {{"pread", "threads", {{"direct", "past the page cache"}}},
            {"uring", "a ring", {{"depth", "reads in flight"}, {"direct", ""}}}};
  }
  return {{"lru", "", {}}, {"lfu", "", {{"keep", ""}}}, {"lru", "named twice", {}}};
}

using Words = std::vector<std::string>;

Completion completed(const Words& words) {
  return complete(program(), words, members_of);
}

Words words_after(const Words& words) {
  Words list;
  for (const Candidate& candidate : completed(words).words) {
    list.push_back(candidate.word);
  }
  return list;
}

TEST(Completion, OffersCommandsWhereACommandMustStand) {
  EXPECT_EQ(words_after({""}), (Words{"run", "trace", "help"}));
  EXPECT_EQ(words_after({"r"}), (Words{"run"}));
  EXPECT_EQ(words_after({"trace", ""}), (Words{"info", "cut"}));
  EXPECT_EQ(words_after({"trac", ""}), Words{});
  EXPECT_EQ(words_after({"help", "tr"}), (Words{"trace"}));
  EXPECT_EQ(words_after({"help", "trace", ""}), (Words{"info", "cut"}));
  EXPECT_EQ(words_after({"help", "nothing", ""}), Words{});
}

TEST(Completion, OffersOptionsThatWereNotGivenYet) {
  EXPECT_EQ(words_after({"run", "--p"}), (Words{"--policy", "--pages", "--prompt"}));
  EXPECT_EQ(words_after({"run", "--pages", "thp", "--p"}), (Words{"--policy", "--prompt"}));
  EXPECT_EQ(words_after({"run", "--policy=lru", "--prompt", "a", "--p"}), (Words{"--pages", "--prompt"}));
  EXPECT_EQ(words_after({"run", "--", "--p"}), Words{});
}

TEST(Completion, OffersWhatAnOptionCanBe) {
  EXPECT_EQ(words_after({"run", "--pages", ""}), (Words{"small", "thp"}));
  EXPECT_EQ(words_after({"run", "--pages=t"}), (Words{"--pages=thp"}));
  EXPECT_EQ(words_after({"run", "-b", ""}), (Words{"pread", "uring"}));
  EXPECT_EQ(words_after({"run", "--policy", "lr"}), (Words{"lru"}));
  EXPECT_EQ(words_after({"run", "--cache", ""}), Words{});
  EXPECT_EQ(completed({"run", "--cache", ""}).paths, Completion::Paths::none);
  EXPECT_EQ(words_after({"run", "--quiet=x"}), Words{});
}

TEST(Completion, OffersAPlugInsOptionsBehindItsColon) {
  EXPECT_EQ(words_after({"run", "--backend", "uring:"}), (Words{"uring:depth=", "uring:direct="}));
  EXPECT_EQ(words_after({"run", "--backend=uring:depth=8,di"}), (Words{"--backend=uring:depth=8,direct="}));
  EXPECT_EQ(words_after({"run", "--backend", "uring:depth=8,p"}), Words{});
  EXPECT_EQ(words_after({"run", "--backend", "unknown:"}), Words{});
}

TEST(Completion, OffersTheNextOfAList) {
  EXPECT_EQ(words_after({"run", "--policy", "lru,"}), (Words{"lru,lru", "lru,lfu"}));
  EXPECT_EQ(words_after({"run", "--policy", "lfu:keep=1,l"}), (Words{"lfu:keep=1,lru", "lfu:keep=1,lfu"}));
  EXPECT_EQ(words_after({"run", "--policy", "lru,lfu:k"}), (Words{"lru,lfu:keep="}));
}

TEST(Completion, LeavesPathsToTheShell) {
  EXPECT_EQ(completed({"run", ""}).paths, Completion::Paths::files);
  EXPECT_EQ(completed({"run", "--store", ""}).paths, Completion::Paths::folders);
  EXPECT_EQ(completed({"run", "--store", "one", ""}).paths, Completion::Paths::folders);
  EXPECT_EQ(completed({"run", "--store", "one", "--quiet", ""}).paths, Completion::Paths::files);
  EXPECT_EQ(completed({"run", "--prompt", "one", "trace.bin", ""}).paths, Completion::Paths::none);
  EXPECT_EQ(completed({"run", "-"}).paths, Completion::Paths::none);
}

TEST(Completion, NeverCrashesOnOddWords) {
  for (const Words& words : std::vector<Words>{{},
                                               {"run", "--backend=:,"},
                                               {"run", "--policy", ",,::,"},
                                               {"run", "-"},
                                               {"run", "--"},
                                               {"run", "="},
                                               {"run", "--="},
                                               {"--", "", ""}}) {
    completed(words);
  }
}

}  // namespace
}  // namespace spillway
