#include "core/plugin.h"

#include <gtest/gtest.h>

namespace spillway {
namespace {

struct Thing {
  uint32_t depth = 0;
  Bytes chunk;
  std::string colour;
};

struct Options {
  uint32_t depth = 8;
  Bytes chunk{kMiB};
  bool loud = false;
  std::string colour = "red";

  template <class V>
  void visit(V& v) {
    v("depth", depth, "how deep");
    v("chunk", chunk, "how large");
    v("loud", loud, "say so");
    v("colour", colour, "which");
  }
};

Traits traits(const Options& options) {
  return {.does_nothing = options.depth == 0};
}

Result<std::unique_ptr<Thing>> make(const Options& options, const int& limit) {
  if (int(options.depth) > limit) {
    return unavailable("depth {} is more than {}", options.depth, limit);
  }
  return std::make_unique<Thing>(Thing{options.depth, options.chunk, options.colour});
}

const Family<Thing, int>& things() {
  static const Family<Thing, int> family("thing", {plugin("thing", "is made in a test", make, traits),
                                                   plugin("twin", "tells nothing of itself", make)});
  return family;
}

TEST(Plugin, IsMadeFromDefaultsOverriddenByTheSpec) {
  const Result<Choice<Thing, int>> chosen = things().choose("thing:chunk=2MiB,colour=blue");
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->text, "thing:chunk=2MiB,colour=blue");
  EXPECT_EQ(chosen->resolved, "thing:depth=8,chunk=2MiB,loud=0,colour=blue");
  const Result<std::unique_ptr<Thing>> made = chosen->make(100);
  ASSERT_TRUE(made);
  EXPECT_EQ((*made)->depth, 8U);
  EXPECT_EQ((*made)->chunk.count, 2 * kMiB);
}

TEST(Plugin, IsMadeAsOftenAsWantedOfOneChoice) {
  const Choice<Thing, int> chosen = things().known("thing:depth=3");
  const Choice<Thing, int> copy = chosen;
  const Result<std::unique_ptr<Thing>> first = chosen.make(100);
  const Result<std::unique_ptr<Thing>> second = copy.make(100);
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->get(), second->get());
  EXPECT_EQ((*second)->depth, 3U);
}

TEST(Plugin, TellsItsTraitsByItsOptionsAndWithoutBeingMade) {
  EXPECT_TRUE(things().known("thing:depth=0").traits.does_nothing);
  EXPECT_FALSE(things().known("thing").traits.does_nothing);
  EXPECT_FALSE(things().known("twin:depth=0").traits.does_nothing);
}

TEST(Plugin, IsTheSameChoiceHoweverItWasWritten) {
  EXPECT_EQ(things().known("thing"), things().known("thing:depth=8"));
  EXPECT_NE(things().known("thing"), things().known("thing:depth=9"));
  EXPECT_NE(things().known("thing"), things().known("twin"));
}

TEST(Plugin, DescribesEachOptionOnce) {
  const std::vector<OptionInfo>& options = things().begin()->options;
  ASSERT_EQ(options.size(), 4U);
  EXPECT_EQ(options[1].name, "chunk");
  EXPECT_EQ(options[1].default_value, "1MiB");
  EXPECT_EQ(options[1].help, "how large");
}

TEST(Plugin, NamesWhatIsWrongWithASpec) {
  const std::pair<const char*, const char*> cases[] = {
      {"thin", "there is no thing 'thin'; did you mean 'thing'?"},
      {"thing:dept=3", "thing has no option 'dept'; did you mean 'depth'?"},
      {"thing:depth=many", "thing: option depth: 'many' is not a number this option takes"},
      {"thing:depth=-1", "thing: option depth: '-1' is not a number this option takes"},
      {"thing:depth=4294967296", "thing: option depth: 4294967296 is too large"},
      {"thing:loud=maybe", "thing: option loud: 'maybe' is neither 1 nor 0"},
      {"thing:depth=1,depth=2", "'thing:depth=1,depth=2' gives option depth twice"},
      {"thing:",
       "thing: there is an option without a name; write thing:NAME=VALUE with one of: depth, chunk, "
       "loud, colour"},
      {"thing:=1",
       "thing: there is an option without a name; write thing:NAME=VALUE with one of: depth, chunk, "
       "loud, colour"},
      {"thing:depth=1,",
       "thing: there is an option without a name; write thing:NAME=VALUE with one of: depth, "
       "chunk, loud, colour"},
      {"thing:depth",
       "thing: option depth has no value; write it like depth=8 (the options are: depth, chunk, "
       "loud, colour)"},
      {"thing:colour=",
       "thing: option colour has no value; write it like colour=red (the options are: depth, "
       "chunk, loud, colour)"},
      {"thing:loud=",
       "thing: option loud has no value; write it like loud=0 (the options are: depth, chunk, "
       "loud, colour)"},
      {"", "'' names nothing; write NAME or NAME:key=value,key=value"},
  };
  for (const auto& [spec, message] : cases) {
    const Result<Choice<Thing, int>> chosen = things().choose(spec);
    ASSERT_FALSE(chosen) << spec;
    EXPECT_EQ(chosen.error().message, message);
    EXPECT_EQ(chosen.error().kind, ErrorKind::usage);
  }
}

TEST(Options, RealNumbersAreFiniteAndNotNegative) {
  double value = 0.25;
  for (const char* text : {"nan", "-nan", "inf", "-inf", "infinity", "-0.5", "1e999", "", "0.5x", "0x1p3"}) {
    const Result<void> read = read_option(text, value);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().kind, ErrorKind::usage);
    EXPECT_EQ(value, 0.25) << text << " was refused and left a value";
  }
  ASSERT_TRUE(read_option("0.75", value));
  EXPECT_EQ(value, 0.75);
}

TEST(Plugin, WithoutOptionsRefusesAColon) {
  const Result<Spec> spec = parse_spec("bare:");
  ASSERT_TRUE(spec);
  const Result<NoOptions> options = parse_options<NoOptions>(*spec);
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().message, "bare has no options; write it without ':'");
}

TEST(Plugin, TakesAKeyWithoutAValueAsSwitchedOn) {
  EXPECT_EQ(things().known("thing:loud").resolved, "thing:depth=8,chunk=1MiB,loud=1,colour=red");
}

TEST(Plugin, PassesOnWhyItCannotBeMade) {
  const Result<std::unique_ptr<Thing>> made = things().known("thing:depth=101").make(100);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(made.error().message, "depth 101 is more than 100");
}

}  // namespace
}  // namespace spillway
