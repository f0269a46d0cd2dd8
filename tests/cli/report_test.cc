#include <gtest/gtest.h>

#include <algorithm>

#include "core/json.h"
#include "tests/support/program.h"
#include "tests/support/python.h"

// `spillway report`: one page with the results of all other commands.
namespace spillway::test {
namespace {

size_t count(const std::string& text, const std::string& what) {
  size_t found = 0;
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) {
    ++found;
  }
  return found;
}

class ReportCommand : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(results_);
    const Ran made =
        spillway({"trace", "synth", "--layers", "6", "--experts", "16", "--top-k", "4", "--expert-bytes",
                  "64KiB", "--tokens", "40", "--reuse", "0.5", "--seed", "7", "-o", trace_});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  void make(std::vector<std::string> arguments) {
    const Ran ran = spillway(std::move(arguments));
    ASSERT_EQ(ran.status, 0) << ran.err;
  }

  // Makes one result of every kind.
  void make_all() {
    make({"simulate", trace_, "--cache", "1MiB", "--compute", "300us", "--json", results_ + "/run.json",
          "--timeline", results_ + "/timeline.json"});
    make({"gap", trace_, "--device", "queueing", "--cache", "1MiB", "--compute", "300us", "--json",
          results_ + "/gap.json"});
    make({"curve", trace_, "--json", results_ + "/curve.json"});
    make({"plan", "--model", "qwen3-30b-a3b", "--json", results_ + "/plan.json"});
    const Json experiment = {{"schema", "spillway.experiment/1"},
                             {"question", "Which policy, <at> which cache size?"},
                             {"base", {{"command", "simulate"}, {"trace", trace_}, {"compute", "300us"}}},
                             {"sweep", {{"cache", {"1MiB", "2MiB", "4MiB"}}, {"evict", {"lru", "lfu"}}}},
                             {"repetitions", 2}};
    std::ofstream(scratch_ / "experiment.json") << experiment.dump();
    make({"sweep", scratch_ / "experiment.json", "-o", results_ + "/policies"});
  }

  Ran report(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"report", results_, "-o", page_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return spillway(arguments);
  }

  // Makes scripts in the place of the real plots: `latency_cdf` and the others do what `body` says.
  std::string fake_plots(const std::string& body) {
    const std::string folder = scratch_ / "plots";
    std::filesystem::create_directory(folder);
    for (const std::string name : {"figure", "latency_cdf", "sweep_lines", "hit_ratio_curves"}) {
      std::ofstream(folder + "/" + name + ".py") << body;
    }
    return folder;
  }

  TemporaryDirectory scratch_;
  std::string trace_ = scratch_ / "trace.bin";
  std::string results_ = scratch_ / "results";
  std::string page_ = scratch_ / "report.html";
};

TEST_F(ReportCommand, HasAQuestionAnAnswerATableAndTheCommandForEverything) {
  make_all();
  const Ran ran = report();
  ASSERT_EQ(ran.status, 0) << ran.err;
  const std::string html = read_file(page_);
  for (const std::string question :
       {"Which policy, &lt;at&gt; which cache size?", "How fast did each run decode",
        "Where does the time of a token go?", "What happens during a token?", "How much cache does",
        "What hardware does qwen3-30b-a3b need"}) {
    EXPECT_NE(html.find("<h2>" + question), std::string::npos) << question;
  }
  EXPECT_EQ(count(html, "<h2>"), 6U);
  EXPECT_EQ(count(html, "<p class=\"answer\">"), 6U);
  EXPECT_EQ(count(html, "</table>"), 6U) << "every part but the timeline has a table, and the findings one";
  EXPECT_LT(html.find("<th>Finding</th>"), html.find("<h2>")) << "the page does not begin with findings";
  EXPECT_NE(html.find("spillway simulate " + trace_ + " --cache 1MiB --compute 300us --json"),
            std::string::npos);
  EXPECT_EQ(count(html, "--evict lfu"), 3U) << "a repeated command is shown once";
  EXPECT_EQ(html.find("experiment.json:"), std::string::npos) << "the experiment was left out";
  if (!python_with_matplotlib().empty()) {
    EXPECT_EQ(count(html, "<figure><svg"), 6U) << ran.err;
    EXPECT_EQ(ran.err, "");
  }
}

TEST_F(ReportCommand, HasCommandsThatCanBeTypedAgain) {
  const std::string trace = scratch_ / "my trace.bin";
  std::filesystem::copy_file(trace_, trace);
  make({"simulate", trace, "--cache", "1MiB", "--json", results_ + "/run.json"});
  ASSERT_EQ(report({"--plots", fake_plots("print('<svg></svg>')")}).status, 0);
  EXPECT_NE(read_file(page_).find("<pre>spillway simulate '" + trace + "' --cache 1MiB"), std::string::npos);
}

TEST_F(ReportCommand, OpensInABrowserWithNoRequestNoErrorAndNothingBesideTheScreen) {
  if (python_with_matplotlib().empty()) {
    GTEST_SKIP() << "python3-matplotlib is not installed";
  }
  make_all();
  ASSERT_EQ(report().status, 0);
  const Ran seen =
      Program({"/usr/bin/env", "python3", std::string(SPILLWAY_SOURCE_DIR) + "/tests/cli/browse.py", page_})
          .wait();
  if (seen.status == 77) {
    GTEST_SKIP() << "no Chromium is installed";
  }
  ASSERT_EQ(seen.status, 0) << seen.err;
  const Json page = Json::parse(seen.out);
  EXPECT_TRUE(page["requests"].empty()) << page["requests"];
  EXPECT_TRUE(page["console"].empty()) << page["console"];
  EXPECT_EQ(page["title"], "results");
  EXPECT_EQ(page["figures"], 6);
  for (const auto& [name, screen] : page["screens"].items()) {
    EXPECT_LE(screen["beyond"], 0) << name;
    EXPECT_TRUE(screen["overlaps"].empty()) << name << ": " << screen["overlaps"];
    EXPECT_GE(screen["smallest_letters_px"], 9) << name;
  }
  EXPECT_NE(page["screens"]["phone light"]["paper"], page["screens"]["phone dark"]["paper"]);
}

TEST_F(ReportCommand, ShowsASweepOfPlans) {
  const std::string question =
      std::string(SPILLWAY_SOURCE_DIR) + "/experiments/questions/10-context-length.json";
  make({"sweep", question, "--quick", "--set", "context=4096,131072", "-o", results_});
  const Ran ran = report();
  ASSERT_EQ(ran.status, 0) << ran.err;
  const std::string html = read_file(page_);
  EXPECT_EQ(html.find("failed"), std::string::npos);
  EXPECT_NE(html.find("From context 4096 to 131072: case "), std::string::npos);
  EXPECT_EQ(count(html, "<td>131072</td>"), 4U);
  EXPECT_NE(html.find("for the context</th>"), std::string::npos);
  EXPECT_NE(html.find("Calculated, not measured."), std::string::npos);
  if (!python_with_matplotlib().empty()) {
    EXPECT_EQ(count(html, "<figure><svg"), 1U) << ran.err;
    EXPECT_NE(html.find(">131072</text>"), std::string::npos) << "tokens, and no bytes";
  }
}

TEST_F(ReportCommand, AnswersASweepWithinEachValueOfItsAxis) {
  const Json experiment = {
      {"schema", "spillway.experiment/1"},
      {"question", "Which prefetcher?"},
      {"base", {{"command", "simulate"}, {"trace", trace_}, {"compute", "300us"}}},
      {"sweep", {{"cache", {"1MiB", "2MiB", "4MiB"}}, {"prefetch", {"none", "popular", "oracle:ahead=1"}}}},
      {"plot", {{"kind", "lines"}, {"x", "cache"}, {"series", "prefetch"}}}};
  std::ofstream(scratch_ / "experiment.json") << experiment.dump();
  make({"sweep", scratch_ / "experiment.json", "-o", results_});
  ASSERT_EQ(report({"--plots", fake_plots("print('<svg></svg>')")}).status, 0);
  const std::string html = read_file(page_);
  const std::string answer = html.substr(html.find("<p class=\"answer\">"));
  for (const std::string start :
       {"At cache 1MiB: fastest is prefetch ", "At cache 2MiB: fastest is prefetch ",
        "At cache 4MiB: prefetch none and popular have the same speed"}) {
    EXPECT_NE(answer.find(start), std::string::npos) << answer.substr(0, 400);
  }
  EXPECT_NE(answer.find("oracle:ahead=1, which knows the future, reaches"), std::string::npos);
  EXPECT_EQ(answer.find("Prefetch pays"), std::string::npos);
}

TEST_F(ReportCommand, HasItsTablesWhereNothingCanBeDrawn) {
  make({"simulate", trace_, "--cache", "1MiB", "--json", results_ + "/run.json"});
  const Ran ran =
      report({"--plots", fake_plots("import sys; sys.exit(print('no matplotlib', file=sys.stderr) or 77)")});
  EXPECT_EQ(ran.status, 0) << ran.err;
  const std::string html = read_file(page_);
  EXPECT_NE(html.find("Not drawn: no matplotlib"), std::string::npos);
  EXPECT_EQ(count(html, "</table>"), 1U);
}

TEST_F(ReportCommand, TellsWhyOneFigureFailedAndGoesOn) {
  make({"simulate", trace_, "--cache", "1MiB", "--json", results_ + "/run.json"});
  make({"curve", trace_, "--json", results_ + "/curve.json"});
  const std::string plots = fake_plots("print('<svg></svg>')");
  std::ofstream(plots + "/latency_cdf.py") << "raise ValueError('a <bug>')";
  const Ran ran = report({"--plots", plots});
  EXPECT_EQ(ran.status, 0) << ran.err;
  const std::string html = read_file(page_);
  EXPECT_NE(html.find("Not drawn: ValueError: a &lt;bug&gt;"), std::string::npos);
  EXPECT_EQ(count(html, "<figure><svg"), 1U);
}

TEST_F(ReportCommand, WritesNothingWhenItIsInterruptedAndSaysSo) {
  make({"simulate", trace_, "--cache", "1MiB", "--json", results_ + "/run.json"});
  make({"curve", trace_, "--json", results_ + "/curve.json"});
  const std::string begun = scratch_ / "begun";
  std::filesystem::create_directory(begun);
  const std::string plots =
      fake_plots("import time\nopen('" + begun + "/figure', 'a').write('x')\ntime.sleep(60)");
  std::ofstream(page_) << "older";
  Program program({SPILLWAY_BINARY, "report", results_, "-o", page_, "--plots", plots});
  for (int i = 0; i < 1500 && std::filesystem::is_empty(begun); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  program.signal(SIGINT);
  expect_one_line(program.wait(), 1, {"interrupted"});
  EXPECT_EQ(read_file(begun + "/figure"), "x") << "another figure was begun";
  EXPECT_EQ(read_file(page_), "older");
}

TEST_F(ReportCommand, SaysWhatItLeftOutAndRefusesWhereNothingIsLeft) {
  std::ofstream(results_ + "/newer.json") << R"({"schema": "spillway.report/2"})";
  const Ran none = report();
  EXPECT_EQ(none.status, 1);
  EXPECT_NE(none.err.find("spillway.report/2"), std::string::npos) << none.err;
  EXPECT_FALSE(std::filesystem::exists(page_));
  make({"curve", trace_, "--json", results_ + "/curve.json"});
  const Ran some = report();
  EXPECT_EQ(some.status, 0) << some.err;
  EXPECT_NE(some.err.find("left out"), std::string::npos) << some.err;
  EXPECT_NE(read_file(page_).find("newer.json"), std::string::npos);
  EXPECT_EQ(spillway({"report", scratch_ / "nothing", "-o", page_}).status, 1);
  EXPECT_EQ(spillway({"report", results_}).status, 2);
}

TEST_F(ReportCommand, NeverReplacesAResult) {
  make({"curve", trace_, "--json", results_ + "/curve.json"});
  const std::string before = read_file(results_ + "/curve.json");
  EXPECT_EQ(spillway({"report", results_ + "/curve.json", "-o", results_ + "/curve.json"}).status, 2);
  EXPECT_EQ(read_file(results_ + "/curve.json"), before);
}

TEST_F(ReportCommand, PutsWhatARunMustSayBeforeItsAnswerIsBelieved) {
  make({"replay", trace_, "--store", scratch_.path(), "--no-probe", "--backend", "pread", "--warm", "--cache",
        "1MiB", "--json", results_ + "/run.json"});
  Json run = Json::parse(read_file(results_ + "/run.json"));
  run["io"]["from_ram_share"] = 0.25;
  run["run"]["interrupted"] = true;
  run["warnings"] = {"the <drive> was busy"};
  std::ofstream(results_ + "/run.json") << run.dump();
  ASSERT_EQ(report({"--plots", fake_plots("print('<svg></svg>')")}).status, 0);
  const std::string html = read_file(page_);
  for (const std::string caution : {"Not cold: 25.0 %", "Interrupted", "the &lt;drive&gt; was busy"}) {
    EXPECT_NE(html.find(caution), std::string::npos) << caution;
  }
}

TEST_F(ReportCommand, SaysOnceWhatManyRunsOfASweepWarnOf) {
  const Json experiment = {{"schema", "spillway.experiment/1"},
                           {"question", "Which policy?"},
                           {"base", {{"command", "simulate"}, {"trace", trace_}, {"cache", "1MiB"}}},
                           {"sweep", {{"evict", {"lru", "lfu", "fifo"}}}}};
  std::ofstream(scratch_ / "experiment.json") << experiment.dump();
  make({"sweep", scratch_ / "experiment.json", "-o", results_});
  double share = 0.25;
  for (const auto& entry : std::filesystem::directory_iterator(results_ + "/points")) {
    Json point = Json::parse(read_file(entry.path()));
    point["result"]["warnings"] = {"the drive was busy"};
    point["result"]["io"]["stolen_share"] = share += 0.25;
    std::ofstream(entry.path()) << point.dump();
  }
  ASSERT_EQ(report({"--plots", fake_plots("print('<svg></svg>')")}).status, 0);
  const std::string html = read_file(page_);
  EXPECT_EQ(count(html, "<p class=\"caution\">"), 2U);
  EXPECT_NE(html.find("3 of 3 runs: the drive was busy"), std::string::npos);
  EXPECT_NE(html.find("3 of 3 runs, with other figures: Disturbed"), std::string::npos);
  EXPECT_NE(html.find("stolen</th>"), std::string::npos);
  EXPECT_NE(html.find(">75.0 %</td>"), std::string::npos);
}

TEST_F(ReportCommand, TellsWhatFailedFromWhatIsNotAvailable) {
  const Json experiment = {{"schema", "spillway.experiment/1"},
                           {"question", "Which policy?"},
                           {"base", {{"command", "simulate"}, {"trace", trace_}, {"cache", "1MiB"}}},
                           {"sweep", {{"evict", {"lru", "s3fifo:small=2"}}}}};
  std::ofstream(scratch_ / "experiment.json") << experiment.dump();
  EXPECT_EQ(spillway({"sweep", scratch_ / "experiment.json", "-o", results_}).status, 1);
  const auto html = [&] {
    EXPECT_EQ(report({"--plots", fake_plots("print('<svg></svg>')")}).status, 0);
    return read_file(page_);
  };
  EXPECT_NE(html().find("1 of 2 runs failed."), std::string::npos);
  for (const auto& entry : std::filesystem::directory_iterator(results_ + "/points")) {
    Json point = Json::parse(read_file(entry.path()));
    if (point["status"] == "failed") {
      point["status"] = "unavailable";
      point["exit_status"] = 77;
      std::ofstream(entry.path()) << point.dump();
    }
  }
  EXPECT_NE(html().find("1 of 2 runs were not available here."), std::string::npos);
  EXPECT_NE(html().find(">not available</td>"), std::string::npos);
  EXPECT_NE(html().find("Not available: s3fifo"), std::string::npos) << "the reason is not below the table";
}

}  // namespace
}  // namespace spillway::test
