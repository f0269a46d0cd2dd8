#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "app/cli/cli.h"
#include "tests/support/files.h"

// No output of a command takes the place of an input or of another output.
namespace spillway {
namespace {

namespace fs = std::filesystem;

class Outputs : public testing::Test {
 protected:
  void SetUp() override {
    test::write_file(file("in"), "precious");
    fs::create_symlink(file("in"), file("link"));
    fs::create_hard_link(file("in"), file("hard"));
    fs::create_directory(file("folder"));
  }

  // Parses the words of a command with an input, a list of inputs, a setting and two outputs.
  std::string error_of(std::vector<std::string> words) {
    CommandLine line("spillway", "", "");
    Invocation invocation;
    Command command = line.program().subcommand("do", "Does it");
    command.text("input", input_, "An input").type_name("TRACE");
    command.text("--title", title_, "A text").type_name("TEXT");
    command.paths("--store", stores_, "Inputs").type_name("FILE");
    command.output("-o,--output", output_, "An output");
    command.output("--json", json_, "Another output");
    command.runs(invocation, [] { return Result<void>(); });
    words.insert(words.begin(), "do");
    const Result<bool> parsed = line.parse(words);
    return parsed ? "" : parsed.error().message;
  }
  std::string file(const std::string& name) const { return folder_ / name; }

  test::TemporaryDirectory folder_;
  std::string input_, title_, output_, json_;
  std::vector<std::string> stores_;
};

TEST_F(Outputs, AreApartFromInputsInEverySpelling) {
  EXPECT_EQ(error_of({file("in"), "-o", file("out"), "--json", file("out.json")}), "");
  for (const std::string& same :
       {file("in"), file("link"), file("hard"), file("folder/../in"), file("./in")}) {
    EXPECT_NE(error_of({file("in"), "-o", same}).find("this is the input file of input"), std::string::npos)
        << same;
    EXPECT_NE(error_of({same, "--json", file("in")}).find("--json " + file("in")), std::string::npos) << same;
    EXPECT_NE(error_of({"--store", file("x") + "," + same, "-o", file("in")}).find("--store"),
              std::string::npos)
        << same;
  }
}

TEST_F(Outputs, AreApartFromOtherOutputs) {
  EXPECT_NE(error_of({file("in"), "-o", file("new"), "--json", file("folder/../new")}).find("same place"),
            std::string::npos);
  EXPECT_NE(error_of({file("in"), "-o", "-", "--json", "-"}).find("same place"), std::string::npos);
  EXPECT_EQ(error_of({file("in"), "-o", "-"}), "");
}

TEST_F(Outputs, MayBeNamedInATextThatIsNoPath) {
  EXPECT_EQ(error_of({file("in"), "-o", file("page"), "--title", file("page")}), "");
}

// A new name of a value must be decided on: may it be a path, which an output must not replace?
TEST(ValueNames, AreEachOfAPathOrNot) {
  const std::set<std::string> no_paths = {
      "",           "AGE",    "AXIS=VALUE", "BACKEND",  "BITS",       "COMMAND", "CONDITION", "DATE",
      "FLOAT",      "FORMAT", "I/N",        "IMPORTER", "INT",        "N",       "NAME",      "NAMES",
      "NAME=VALUE", "P",      "POLICIES",   "POLICY",   "PREFETCHER", "R",       "RANGE",     "RATE",
      "RULE",       "S",      "SIZE",       "TEXT",     "TIME",       "UINT"};
  CommandLine line("spillway", "", "");
  Invocation invocation;
  add_commands(line.program(), invocation);
  const std::function<void(const CommandDescription&)> look = [&](const CommandDescription& command) {
    for (const OptionDescription& option : command.options) {
      EXPECT_TRUE(is_path_name(option.value) || no_paths.contains(option.value))
          << command.path << " " << option.name << ": " << option.value;
    }
    for (const CommandDescription& one : command.commands) {
      look(one);
    }
  };
  look(describe_program(line.program()));
}

}  // namespace
}  // namespace spillway
