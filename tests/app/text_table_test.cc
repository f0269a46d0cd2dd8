#include "app/cli/text_table.h"

#include <gtest/gtest.h>

#include "app/cli/progress.h"

namespace spillway {
namespace {

using Align = TextTable::Align;

TEST(TextTable, ColumnsAreAsWideAsTheirWidestCell) {
  TextTable table({{.gap = 0}, {.align = Align::right}, {}});
  table.row({"name", "bytes", "note"});
  table.row({"a long name", "7", "first"});
  table.row({"b", "12345678"});
  EXPECT_EQ(table.text(std::nullopt),
            "name            bytes  note\n"
            "a long name         7  first\n"
            "b            12345678\n");
}

TEST(TextTable, TheLastCellOfAShortRowGoesAcrossTheRest) {
  TextTable table({{.gap = 0}, {}, {}});
  table.row({"a", "##", "note"});
  table.row({"b", "in all its width"});
  EXPECT_EQ(table.text(std::nullopt), "a  ##  note\nb  in all its width\n");
}

TEST(TextTable, AColumnHasItsLeastWidthAndItsGap) {
  TextTable table({{.least = 6}, {.gap = 1}});
  table.row({"a", "b"});
  EXPECT_EQ(table.text(std::nullopt), "  a      b\n");
}

TEST(TextTable, WideCharactersTakeTwoColumnsAndMarksNone) {
  TextTable table({{.gap = 0}, {}});
  table.row({"模型", "x"});
  table.row({"e\xCC\x81te", "y"});  // the accent is a character of its own
  EXPECT_EQ(table.text(std::nullopt), "模型  x\ne\xCC\x81te   y\n");
}

TEST(TextTable, TheLastColumnIsBrokenBetweenWordsWhereTheOutputIsNarrow) {
  TextTable table({{}, {.wraps = true}});
  table.row({"name", "a summary of several words that goes on"});
  table.row({"other", "short"});
  EXPECT_EQ(table.text(30),
            "  name   a summary of several\n"
            "         words that goes on\n"
            "  other  short\n");
  EXPECT_EQ(table.text(48), table.text(std::nullopt));
}

TEST(TextTable, AColumnBeforeNumbersCanBeBrokenToo) {
  TextTable table({{.gap = 0, .wraps = true}, {.align = Align::right}});
  table.row({"what was measured of the drive", "12345"});
  EXPECT_EQ(table.text(28), "what was measured of   12345\nthe drive\n");
}

TEST(TextTable, ColumnsAreNotBrokenIntoSliversAndWordsNever) {
  TextTable table({{.gap = 0}, {.wraps = true}});
  table.row({"a name of thirty characters...", "this text needs some room to be read"});
  EXPECT_EQ(table.text(35),
            "a name of thirty characters...  this text needs some\n"
            "                                room to be read\n");
  TextTable words({{.gap = 0, .wraps = true}});
  words.row({"a_word_that_is_longer_than_the_output is_whole"});
  EXPECT_EQ(words.text(20), "a_word_that_is_longer_than_the_output\nis_whole\n");
}

TEST(TextTable, LinesBetweenRowsWidenNoColumnAndKeepTheirIndent) {
  TextTable table({{}, {.gap = 1}});
  table.row({"a", "b"});
  table.line("");
  table.line("  a note that is longer than the rows above it");
  EXPECT_EQ(table.text(std::nullopt), "  a b\n\n  a note that is longer than the rows above it\n");
  EXPECT_EQ(table.text(30), "  a b\n\n  a note that is longer than\n  the rows above it\n");
}

const ProgressParts kParts = {.label = "making the store",
                              .share = 0.25,
                              .amounts = "436 MB of 1.74 GB",
                              .rate = "1.20 GB/s",
                              .left = "3 min 05 s left",
                              .more = "hits 54.3 %"};

TEST(ProgressLine, IsNeverWiderThanTheTerminal) {
  for (size_t width = 20; width < 200; ++width) {
    EXPECT_LT(progress_line(kParts, width).size(), width) << width;
  }
}

TEST(ProgressLine, LeavesOutWhatMattersLeast) {
  EXPECT_EQ(progress_line(kParts, 120),
            "making the store [#######.....................] 436 MB of 1.74 GB, 1.20 GB/s, 3 min 05 s left, "
            "hits 54.3 %");
  EXPECT_EQ(progress_line(kParts, 60), "making the store 1.20 GB/s, 3 min 05 s left, hits 54.3 %");
  EXPECT_EQ(progress_line(kParts, 40), "making the store 3 min 05 s left");
}

TEST(ProgressLine, SaysTheTimeThatIsLeftInMinutesAndHours) {
  EXPECT_EQ(time_left(12.4), "12 s left");
  EXPECT_EQ(time_left(185), "3 min 05 s left");
  EXPECT_EQ(time_left(5400), "1 h 30 min left");
}

}  // namespace
}  // namespace spillway
