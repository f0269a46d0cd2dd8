#include <gtest/gtest.h>

#include "app/page/html.h"
#include "app/page/results.h"
#include "tests/support/program.h"

namespace spillway::page {
namespace {

using test::TemporaryDirectory;

bool holds(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

TEST(ResultPage, ShowsWhateverIsInAResultAsTextAndNeverAsMarkup) {
  const std::string evil = "</pre></style><script>alert(1)</script>\" onload=\"x";
  Page page;
  page.title = evil;
  page.sections = {{.question = evil,
                    .answer = evil,
                    .cautions = {evil},
                    .caption = evil,
                    .no_figure = evil,
                    .table = {.head = {{evil}}, .rows = {{{evil}}}, .note = evil},
                    .facts = {evil},
                    .commands = {evil}}};
  page.left_out = {evil};
  page.colophon = evil;
  const std::string html = to_html(page);
  EXPECT_FALSE(holds(html, "<script"));
  EXPECT_FALSE(holds(html, "\" onload"));
  EXPECT_TRUE(holds(html, "&lt;script&gt;"));
}

TEST(ResultPage, LeavesCommandsToBeCopiedAsTheyAre) {
  EXPECT_EQ(escaped("a\\b\nc 'd'"), "a\\b\nc 'd'");
  EXPECT_EQ(escaped("\x1b[31m\xe2\x80\xae"), "\\x1b[31m\\xe2\\x80\\xae");
}

TEST(ResultPage, AsksForNothingFromElsewhere) {
  Page page;
  page.sections = {{.question = "one"}, {.question = "two"}};
  const std::string html = to_html(page);
  EXPECT_TRUE(holds(html, "default-src 'none'"));
  EXPECT_FALSE(holds(html, "http://"));
  EXPECT_FALSE(holds(html, "https://"));
  EXPECT_TRUE(holds(html, "<a href=\"#q2\">two</a>"));
}

TEST(InlineSvg, KeepsTheFigureWithNamesOfItsOwnAndThePagesColours) {
  const std::string svg = inline_svg(
      "<?xml version=\"1.0\"?>\n<!DOCTYPE svg PUBLIC \"x\" \"http://www.w3.org/x.dtd\">\n<svg "
      "width=\"360pt\">\n"
      " <metadata>\n  <rdf>http://purl.org</rdf>\n </metadata>\n <defs>\n  <style "
      "type=\"text/css\">*{}</style>\n </defs>\n"
      " <path id=\"a\" clip-path=\"url(#b)\" style=\"fill: #1d2126; stroke: #0072b2\"/>\n <use "
      "xlink:href=\"#a\"/>\n"
      "</svg>\n",
      "f3-");
  EXPECT_TRUE(svg.starts_with("<svg width"));
  EXPECT_FALSE(holds(svg, "purl.org"));
  EXPECT_FALSE(holds(svg, "<style"));
  EXPECT_TRUE(holds(svg, "id=\"f3-a\" clip-path=\"url(#f3-b)\""));
  EXPECT_TRUE(holds(svg, "xlink:href=\"#f3-a\""));
  EXPECT_TRUE(holds(svg, "fill: var(--ink); stroke: #0072b2"));
}

TEST(ResultFiles, ACurveHasTheKneeThatCurveFound) {
  const TemporaryDirectory folder;
  std::ofstream(folder / "c.json") << R"({"schema": "spillway.curve/1", "trace": {"path": "t", "model": "m"},
      "token_cycle_bytes": 20, "points": [{"policy": "lru", "cache_bytes": 10, "hit_ratio_decode": 0.1}],
      "knee": {"cache_bytes": 40, "hit_ratio": 0.3, "hit_ratio_decode": 0.8}})";
  const Result<Results> results = read_files({folder.path()});
  ASSERT_TRUE(results && results->curves.size() == 1);
  ASSERT_TRUE(results->curves[0].knee);
  EXPECT_EQ(results->curves[0].knee->cache_bytes, 40U);
  EXPECT_EQ(results->curves[0].knee->hit_ratio_decode, 0.8);
}

TEST(ResultFiles, ThatAreNotWhatTheyShouldBeAreListedAndLeftOut) {
  const TemporaryDirectory folder;
  const std::vector<std::pair<std::string, std::string>> files = {
      {"broken.json", "{\"schema\": \"spillway.report/1\","},
      {"newer.json", R"({"schema": "spillway.report/2"})"},
      {"hollow.json", R"({"schema": "spillway.report/1", "run": 3})"},
      {"foreign.json", "[1, 2, 3]"},
      {"half.json", R"({"schema": "spillway.curve/1", "trace": {"path": "t", "model": 7}})"},
      {"odd.json", R"({"schema": 9})"},
      {"timeline.json", "[\n{\"ph\":\"M\",\"args\":{\"schema\":\"spillway.timeline/2\"}}\n]"},
      {"notes.txt", "not JSON and not asked"}};
  for (const auto& [name, text] : files) {
    std::ofstream(folder / name) << text;
  }
  const Result<Results> results = read_files({folder.path()});
  ASSERT_TRUE(results) << results.error().message;
  EXPECT_TRUE(results->empty());
  EXPECT_EQ(results->left_out.size(), files.size() - 1);
  for (const std::string& line : results->left_out) {
    EXPECT_TRUE(holds(line, folder.path())) << line;
  }
  EXPECT_FALSE(read_files({folder / "nothing"}));
}

TEST(ResultFiles, AnExperimentMayNameOneAxisOrSeveral) {
  const TemporaryDirectory folder;
  std::filesystem::create_directory(folder / "points");
  std::ofstream(folder / "points/p.json") << R"({"schema": "spillway.point/1", "point": {"cache": "1GB"},
      "repetition": 1, "status": "failed", "exit_status": 1, "command": ["spillway"], "result": null})";
  const auto plotted = [&](const std::string& plot) {
    std::ofstream(folder / "experiment.json")
        << R"({"schema": "spillway.experiment/1", "question": "?", "plot": )" + plot + "}";
    Result<Results> results = read_files({folder.path()});
    return results && results->sweeps.size() == 1 ? results->sweeps[0] : Sweep{};
  };
  const Sweep several = plotted(R"({"y": "p99_ns", "series": ["machine", "bits"]})");
  EXPECT_EQ(several.plot_series, (std::vector<std::string>{"machine", "bits"}));
  EXPECT_EQ(several.plot_y, (std::vector<std::string>{"p99_ns"}));
  EXPECT_EQ(plotted(R"({"series": "bits"})").plot_series, (std::vector<std::string>{"bits"}));
  EXPECT_TRUE(plotted("{}").plot_series.empty());
}

TEST(ResultFiles, ATimelineIsSummedUpOverDecodeToWhereItEnds) {
  const TemporaryDirectory folder;
  const std::string path = folder / "t.json";
  std::ofstream(path) << R"([
{"ph":"M","pid":1,"tid":0,"name":"process_name","args":{"name":"run","schema":"spillway.timeline/1"}},
{"ph":"X","pid":1,"tid":4,"name":"stall","ts":0.000,"dur":9000.000,"args":{}},
{"ph":"X","pid":1,"tid":1,"name":"prefill","ts":0.000,"dur":9500.000,"args":{"phase":"prefill","tokens":9}},
{"ph":"X","pid":1,"tid":4,"name":"stall","ts":0.000,"dur":300.000,"args":{}},
{"ph":"X","pid":1,"tid":3,"name":"L0/E1","ts":300.000,"dur":100.000,"args":{}},
{"ph":"X","pid":1,"tid":1,"name":"token 0","ts":0.000,"dur":500.000,"args":{"phase":"decode","tokens":1}},
{"ph":"X","pid":1,"tid":4,"name":"stall","ts":500.000,"dur":200.000,"args":{}},
{"ph":"X","pid":1,"tid":5,"name":"L0/E1","ts":0.000,"du)";
  const std::optional<Result<TimelineResult>> timeline = read_timeline(path);
  ASSERT_TRUE(timeline && *timeline);
  EXPECT_EQ((*timeline)->tokens, 1U);
  EXPECT_DOUBLE_EQ((*timeline)->wall_s, 5e-4);
  EXPECT_DOUBLE_EQ((*timeline)->stall_s, 3e-4);
  EXPECT_DOUBLE_EQ((*timeline)->compute_s, 1e-4);
  EXPECT_FALSE((*timeline)->complete);
  EXPECT_FALSE(read_timeline(folder / "none"));
}

}  // namespace
}  // namespace spillway::page
