#include <gtest/gtest.h>

#include "app/page/html.h"
#include "app/page/results.h"
#include "app/page/sections.h"
#include "app/page/standing.h"
#include "app/page/sweep_answer.h"
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

// A sweep over one axis: a value, and the speeds of its repetitions.
Sweep sweep_of(const std::vector<std::pair<std::string, std::vector<double>>>& points, bool known) {
  Sweep sweep;
  sweep.question = "Which policy?";
  sweep.axes = {{"evict", {}}};
  for (const auto& [value, speeds] : points) {
    sweep.axes.front().values.push_back(value);
    for (const double speed : speeds) {
      SweepPoint point;
      point.place = {{"evict", value}};
      point.result.done = true;
      point.result.figures = {{"tok_per_s", Unit::tok_per_s, speed, known}};
      sweep.points.push_back(std::move(point));
    }
  }
  return sweep;
}

std::string answer_of(const Sweep& sweep) {
  return sweep_answer(sweep, groups_of(sweep));
}

TEST(SweepAnswer, OneMeasuredRunEachTellsNothing) {
  const std::string answer =
      answer_of(sweep_of({{"pread", {25.3}}, {"mmap", {7}}, {"uring", {0.94}}}, false));
  EXPECT_EQ(answer,
            "Which is fastest is not known, with one run each: evict pread (25.3 tok/s) had the most, "
            "evict uring (0.940 tok/s) the least.");
}

TEST(SweepAnswer, RangesThatOverlapAreNotAWinner) {
  const std::string answer = answer_of(sweep_of({{"a", {10, 12, 11}}, {"b", {11.5, 10.2, 11}}}, false));
  EXPECT_TRUE(holds(answer, "scatter too much to tell")) << answer;
  EXPECT_TRUE(holds(answer, "11.0 tok/s, 10.0 to 12.0")) << answer;
  EXPECT_FALSE(holds(answer, "astest is evict")) << answer;
}

TEST(SweepAnswer, AClearDifferenceIsSaidWithItsRanges) {
  EXPECT_EQ(answer_of(sweep_of({{"a", {10, 10.1, 9.9}}, {"b", {20, 20.2, 19.8}}}, false)),
            "Fastest is evict b (20.0 tok/s, 19.8 to 20.2), slowest is evict a (10.0 tok/s, 9.90 to 10.1).");
}

TEST(SweepAnswer, SomeMayBeClearWhileOthersAreNot) {
  const std::string answer =
      answer_of(sweep_of({{"a", {20, 20.3, 19.7}}, {"b", {20.1, 19.8, 20.2}}, {"c", {5, 5.1, 4.9}}}, false));
  EXPECT_TRUE(holds(answer, "Fastest are ")) << answer;
  EXPECT_TRUE(holds(answer, "which cannot be told apart, slowest is evict c (5.00 tok/s")) << answer;
}

TEST(SweepAnswer, TiesOfASimulationAreNamedTogether) {
  EXPECT_EQ(answer_of(sweep_of({{"lru", {29.52}}, {"fifo", {29.52}}, {"lfu", {35}}}, true)),
            "Fastest is evict lfu (35.0 tok/s), slowest are evict lru and fifo (29.5 tok/s each).");
  EXPECT_EQ(answer_of(sweep_of({{"lru", {29.52}}, {"fifo", {29.521}}}, true)),
            "Evict lru and fifo have the same speed (29.5 tok/s).");
  EXPECT_EQ(answer_of(sweep_of({{"simulated", {5.01}}}, true)), "The only point has 5.01 tok/s.");
}

TEST(SweepAnswer, AQuestionAboutAnAxisIsAnsweredAlongIt) {
  Sweep sweep;
  sweep.plot_kind = "lines";
  sweep.plot_x = "context";
  sweep.plot_answer = "along";
  sweep.plot_series = {"model"};
  sweep.axes = {{"context", {"4096", "65536", "131072"}}, {"model", {"a", "b", "c"}}};
  const auto add = [&](const std::string& context, const std::string& model, double speed, bool known) {
    SweepPoint point;
    point.place = {{"context", context}, {"model", model}};
    point.result.done = speed > 0;
    point.result.figures = {{"tok_per_s", Unit::tok_per_s, speed, known}};
    sweep.points.push_back(std::move(point));
  };
  add("4096", "a", 30, true);
  add("65536", "a", 20, true);
  add("131072", "a", 9, true);
  add("4096", "b", 7, true);
  add("131072", "b", 7, true);
  add("4096", "c", 5, false);
  EXPECT_EQ(answer_of(sweep),
            "From context 4096 to 131072: model a from 30.0 tok/s to 9.00 tok/s (−70 %); model b from 7.00 "
            "tok/s to "
            "7.00 tok/s (no change).");
  add("131072", "c", 6, false);
  EXPECT_TRUE(holds(answer_of(sweep), "model c from 5.00 tok/s to 6.00 tok/s (+20 %, one run each)"));
}

TEST(SweepAnswer, APageBeginsWithFindingsAndEndsWithWhatIsMissing) {
  Results results;
  results.sweeps = {sweep_of({{"a", {10}}, {"b", {20}}}, true), sweep_of({{"c", {10}}, {"d", {30}}}, true)};
  Sweep missing = sweep_of({{"a", {10}}}, true);
  missing.question = "At equal memory, which?";
  missing.points.front().result = PointResult{};
  missing.points.front().result.unavailable = true;
  missing.points.front().result.error = "cannot make /sys/fs/cgroup/x";
  results.sweeps.insert(results.sweeps.begin(), missing);
  FigureMaker figures("/no/such/folder");
  size_t told = 0;
  const std::string html =
      to_html(make_page(results, "results", "", figures, [&](size_t done) { told = done; }));
  EXPECT_EQ(told, 2U);
  EXPECT_EQ(most_sections(results), 3U) << "one of them is not answered";
  const size_t first = html.find("<h2>");
  EXPECT_LT(html.find("<a href=\"#q1\">Which policy?</a>"), first);
  EXPECT_LT(html.find("Fastest is evict b (20.0 tok/s), slowest is evict a (10.0 tok/s)."), first);
  EXPECT_GT(html.find("Not answered: At equal memory, which? (not available here: cannot make /sys"),
            html.find("</main>"));
  EXPECT_EQ(html.find("/sys/fs"), html.rfind("/sys/fs")) << "the reason is said once";
}

}  // namespace
}  // namespace spillway::page
