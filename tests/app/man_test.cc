#include "app/cli/man.h"

#include <gtest/gtest.h>

namespace spillway {
namespace {

OptionDescription described_option(const std::vector<std::string>& spellings, const std::string& value,
                                   const std::string& help) {
  OptionDescription option;
  option.name = spellings.empty() ? "trace" : spellings.back();
  option.spellings = spellings;
  option.value = value;
  option.help = help;
  return option;
}

CommandDescription described_lab() {
  CommandDescription replay;
  replay.name = "replay";
  replay.path = "lab replay";
  replay.summary = "Run a trace";
  OptionDescription trace = described_option({}, "TRACE", "A trace file");
  OptionDescription cache = described_option({"-c", "--cache"}, "SIZE", "Memory.");
  trace.required = cache.required = true;
  OptionDescription pages = described_option({"--pages"}, "TEXT", "What memory is made of");
  pages.choices = {"small", "thp"};
  pages.default_text = "thp";
  pages.excludes = {"--cache"};
  replay.options = {trace, cache, pages, described_option({"--quiet"}, "", "'quiet' and\n.nothing \\else")};
  replay.footer =
      "First line,\nsecond line.\n\nFormats:\n  csv   a table\n\nExamples:\n  lab replay a\n  lab replay b";
  CommandDescription lab;
  lab.name = lab.path = "lab";
  lab.summary = "A laboratory:\nfor storage";
  lab.version = "1.2";
  lab.commands = {replay};
  return lab;
}

std::string page_of_replay() {
  const CommandDescription lab = described_lab();
  return man_page(lab, lab.commands.front(), "2026-12-01");
}

bool has(const std::string& page, const std::string& text) {
  return page.find(text) != std::string::npos;
}

TEST(ManPage, HasTheSectionsOfAManual) {
  const std::string page = page_of_replay();
  size_t at = 0;
  for (const char* section :
       {"NAME", "SYNOPSIS", "DESCRIPTION", "ARGUMENTS", "OPTIONS", "EXAMPLES", "EXIT STATUS", "SEE ALSO"}) {
    const size_t next = page.find(".SH " + std::string(section) + "\n");
    ASSERT_NE(next, std::string::npos) << section << " is missing:\n" << page;
    EXPECT_GT(next, at) << section;
    at = next;
  }
  EXPECT_TRUE(has(page, ".TH LAB\\-REPLAY 1 \"2026-12-01\" \"lab 1.2\"")) << page;
}

TEST(ManPage, NamesTheSecondNameOfTheMainJob) {
  const std::string page = page_of_replay();
  EXPECT_TRUE(has(page, "lab\\-replay, replay \\- Run a trace\n")) << page;
  EXPECT_TRUE(
      has(page, "\n\\fBreplay\\fR \\fB\\-\\-cache\\fR \\fISIZE\\fR [\\fIOPTION\\fR]... \\fITRACE\\fR\n"))
      << page;
}

TEST(ManPage, TellsAllThatIsKnownOfAnOption) {
  const std::string page = page_of_replay();
  EXPECT_TRUE(has(page, ".TP\n\\fB\\-c\\fR, \\fB\\-\\-cache\\fR \\fISIZE\\fR\nMemory. Required.\n")) << page;
  EXPECT_TRUE(has(page, "What memory is made of. One of: small, thp. Default: thp.")) << page;
  EXPECT_TRUE(has(page, "Not together with\n\\-\\-cache.\n") || has(page, "Not together with \\-\\-cache."))
      << page;
}

TEST(ManPage, TakesNothingForARequest) {
  const std::string page = page_of_replay();
  EXPECT_TRUE(has(page, "\n\\&'quiet' and .nothing \\eelse.\n")) << page;
}

TEST(ManPage, KeepsWhatTheFooterTellsApartFromItsExamples) {
  const std::string page = page_of_replay();
  EXPECT_TRUE(has(page, ".PP\nFirst line, second line.\n")) << page;
  EXPECT_TRUE(has(page, ".PP\nFormats:\n.PP\n.nf\n.RS 4\ncsv   a table\n.RE\n.fi\n")) << page;
  EXPECT_TRUE(has(page, ".SH EXAMPLES\n.nf\n.RS 4\nlab replay a\nlab replay b\n.RE\n.fi\n")) << page;
}

TEST(ManPage, LeadsToThePagesAroundIt) {
  EXPECT_TRUE(has(page_of_replay(), ".SH SEE ALSO\n.BR lab (1)\n"));
  const CommandDescription lab = described_lab();
  const std::string page = man_page(lab, lab, "");
  EXPECT_TRUE(has(page, "lab \\- A laboratory: for storage\n")) << page;
  EXPECT_TRUE(has(page, ".SH COMMANDS\n.TP\n\\fBreplay\\fR\nRun a trace. See lab\\-replay(1).\n")) << page;
  EXPECT_TRUE(has(page, ".SH SEE ALSO\n.BR lab\\-replay (1)\n")) << page;
}

}  // namespace
}  // namespace spillway
