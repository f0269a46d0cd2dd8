#include "model/layer_kinds.h"

#include <gtest/gtest.h>

#include "model/arch/list.h"
#include "tests/model/gguf_builder.h"
#include "tests/support/family_files.h"
#include "tests/support/mentions.h"

namespace spillway {
namespace {

using test::GgufBuilder;
using test::mentions;
using test::ModelDirectory;

class LayerKinds : public testing::Test {
 protected:
  LayerKinds() { builder_.text("general.architecture", "some"); }

  // Of eight layers: f, w or r each; or what is wrong.
  std::string kinds(uint32_t full_every = 1) const {
    const Result<Gguf> gguf = Gguf::open(directory_.write(builder_.bytes()));
    if (!gguf) {
      return gguf.error().message;
    }
    const Result<std::vector<LayerKind>> kinds = layer_kinds(*gguf, 8, full_every);
    std::string text;
    for (const LayerKind kind : kinds.value_or(std::vector<LayerKind>())) {
      text += kind == LayerKind::full ? 'f' : kind == LayerKind::window ? 'w' : 'r';
    }
    return kinds ? text : kinds.error().message;
  }

  GgufBuilder builder_;
  ModelDirectory directory_;
};

TEST_F(LayerKinds, AreFullUnlessTheFileSaysOtherwise) {
  EXPECT_EQ(kinds(), "ffffffff");
  EXPECT_EQ(kinds(2), "ffffffff") << "no window, so no layer has one";
}

TEST_F(LayerKinds, AreRecurrentBetweenFullOnesWhereThereIsAState) {
  builder_.number("some.ssm.state_size", 128U);
  EXPECT_EQ(kinds(), "rrrfrrrf");
  builder_.number("some.full_attention_interval", 3U);
  EXPECT_EQ(kinds(), "rrfrrfrr");
}

TEST_F(LayerKinds, AreRecurrentAsListed) {
  builder_.number("some.ssm.state_size", 128U).number("some.full_attention_interval", 3U);
  builder_.numbers<bool>("some.attention.recurrent_layers",
                         {true, true, false, true, false, true, true, true, /*predicts further*/ false});
  EXPECT_EQ(kinds(), "rrfrfrrr");
}

TEST_F(LayerKinds, HaveAWindowAsThePatternSays) {
  builder_.number("some.attention.sliding_window", 128U);
  EXPECT_EQ(kinds(), "ffffffff");
  EXPECT_EQ(kinds(2), "wfwfwfwf") << "what the architecture says where the file does not";
  GgufBuilder listed = builder_;
  builder_.number("some.attention.sliding_window_pattern", 4U);
  EXPECT_EQ(kinds(2), "wwwfwwwf");
  builder_ = listed;
  builder_.numbers<bool>("some.attention.sliding_window_pattern",
                         {false, true, true, true, true, true, true, true});
  EXPECT_EQ(kinds(2), "fwwwwwww");
}

TEST_F(LayerKinds, AreRefusedWhereTheFileMakesNoSense) {
  const GgufBuilder plain = builder_;
  builder_.number("some.ssm.state_size", 128U).number("some.full_attention_interval", 0U);
  EXPECT_TRUE(mentions(kinds(), "full_attention_interval is 0"));
  builder_ = plain;
  builder_.number("some.ssm.state_size", 128U).numbers<bool>("some.attention.recurrent_layers", {true});
  EXPECT_TRUE(mentions(kinds(), "1 entries for 8 layers"));
}

TEST(Architectures, AreEachAFileAndAnEntry) {
  std::vector<std::string> listed;
  for (const Architecture& architecture : architectures()) {
    listed.push_back(architecture.name);
    EXPECT_FALSE(architecture.summary.empty()) << architecture.name;
  }
  test::expect_a_file_for_each(listed, "model/arch", {"list"});
}

}  // namespace
}  // namespace spillway
