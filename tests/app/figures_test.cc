#include "app/report/figures.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <set>
#include <sstream>

#include "app/report/saturated.h"
#include "app/sweep/compare.h"
#include "core/json.h"
#include "tests/support/files.h"

namespace spillway {
namespace {

Json source_json(const std::string& path) {
  std::ifstream in(std::string(SPILLWAY_SOURCE_DIR) + "/" + path);
  return Json::parse(in);
}

// What a schema says of the value at `path`, or null. A `$ref` is of this document.
Json schema_at(const Json& schema, std::string_view path) {
  const Json* at = &schema;
  std::istringstream keys{std::string(path)};
  for (std::string key; std::getline(keys, key, '/');) {
    while (at->contains("$ref")) {
      at = &schema.at(Json::json_pointer((*at)["$ref"].get<std::string>().substr(1)));
    }
    if (!at->contains("properties") || !(*at)["properties"].contains(key)) {
      return nullptr;
    }
    at = &(*at)["properties"][key];
  }
  return *at;
}

std::optional<double> value_of(const std::vector<Figure>& figures, const std::string& name) {
  for (const Figure& figure : figures) {
    if (figure.name == name) {
      return figure.value;
    }
  }
  return std::nullopt;
}

TEST(Saturated, CutsOffFractions) {
  EXPECT_EQ(saturated<int64_t>(2.9), 2);
  EXPECT_EQ(saturated<int64_t>(-2.9), -2);
  EXPECT_EQ(saturated<uint32_t>(0.0), 0U);
}

TEST(Saturated, TakesTheNearestNumberThatTheTypeHolds) {
  EXPECT_EQ(saturated<int64_t>(1.7e308), INT64_MAX);
  EXPECT_EQ(saturated<int64_t>(-1.7e308), INT64_MIN);
  EXPECT_EQ(saturated<int64_t>(0x1p63), INT64_MAX);
  EXPECT_EQ(saturated<uint64_t>(0x1p64), UINT64_MAX);
  EXPECT_EQ(saturated<uint64_t>(-1.0), 0U);
  EXPECT_EQ(saturated<uint32_t>(INFINITY), UINT32_MAX);
  EXPECT_EQ(saturated<int64_t>(std::nan("")), 0);
}

TEST(Figures, AreWrittenWithTheirUnits) {
  EXPECT_EQ(format_figure(7.4e9, Unit::bytes_per_s), "7.40 GB/s");
  EXPECT_EQ(format_figure(7.4e9, Unit::bytes), "7.40 GB");
  EXPECT_EQ(format_figure(0.125, Unit::share), "12.50 %");
}

TEST(Figures, AreWrittenHoweverLargeAFileClaimsThem) {
  EXPECT_EQ(format_figure(1.7e308, Unit::nanoseconds), format_duration(Nanoseconds::max()));
  EXPECT_EQ(format_figure(-1.7e308, Unit::nanoseconds), format_duration(Nanoseconds::min()));
  EXPECT_EQ(format_figure(1e30, Unit::bytes), format_bytes(UINT64_MAX));
  EXPECT_EQ(format_figure(-1, Unit::bytes), format_bytes(0));
}

TEST(Figures, AreLeftOutIfTheyAreNoNumber) {
  const Json report = {{"schema", "spillway.report/1"},
                       {"phases", {{"measured", {{"tokens", 0.1}, {"prefetched_bytes", 1.7e308}}}}}};
  for (const Figure& figure : figures_of(report)) {
    EXPECT_TRUE(std::isfinite(figure.value)) << figure.name;
  }
}

TEST(Figures, AreNotComparedIfTheOptionsOfTheirRunAreNone) {
  const test::TemporaryDirectory scratch;
  for (const Json& config : {Json(-1), Json("text"), Json::array({1})}) {
    const Json report = {{"schema", "spillway.report/1"},
                         {"config", config},
                         {"phases", {{"measured", {{"tokens", 1}, {"hit_ratio", 0.5}}}}}};
    test::write_file(scratch / "r.json", report.dump());
    const Result<ComparedSide> side = load_side(scratch / "r.json", {});
    ASSERT_FALSE(side) << config;
    EXPECT_NE(side.error().message.find("r.json: 'config' must be"), std::string::npos)
        << side.error().message;
  }
}

TEST(Figures, HaveTheirMedianAsTheirCentre) {
  EXPECT_EQ(median_of({3, 1, 100}), 3);
  EXPECT_EQ(median_of({4, 1, 2, 100}), 3);
  EXPECT_EQ(median_of({}), 0);
}

TEST(Figures, HaveOneNameEachAndAPlaceInSomeSchema) {
  std::set<std::string_view> names;
  for (const FigureDefinition& figure : figure_table()) {
    EXPECT_TRUE(names.insert(figure.name).second) << figure.name;
    EXPECT_FALSE(figure.in_report.empty() && figure.in_plan.empty() && figure.in_curve_point.empty())
        << figure.name;
    EXPECT_EQ(find_definition(figure.name), &figure);
  }
  EXPECT_EQ(find_definition("no_such_figure"), nullptr);
  for (const std::string& name : usual_figures()) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST(Figures, LieWhereTheSchemasHaveThem) {
  const Json report = source_json("share/schema/report-1.json");
  const Json plan = source_json("share/schema/plan-1.json");
  const Json curve = source_json("share/schema/curve-1.json");
  const Json point = curve["properties"]["points"]["items"];
  for (const FigureDefinition& figure : figure_table()) {
    for (const std::string_view path : {figure.in_report, figure.per, figure.only_if}) {
      EXPECT_TRUE(path.empty() || schema_at(report, path).is_object()) << figure.name << ": " << path;
    }
    EXPECT_TRUE(figure.in_plan.empty() || schema_at(plan, figure.in_plan).is_object()) << figure.name;
    EXPECT_TRUE(figure.in_curve_point.empty() || schema_at(point, figure.in_curve_point).is_object())
        << figure.name;
  }
}

TEST(Figures, AreExportedAsTheScriptsOfPlotsReadThem) {
  EXPECT_EQ(source_json("share/figures.json")["figures"].dump(2), to_json(figure_table()).dump(2))
      << "spillway list figures --json share/figures.json writes the table anew";
}

TEST(Figures, OfALiveRunHaveItsSpeedAndNotThatOfTheReplayBesideIt) {
  const Json report = {{"schema", "spillway.report/1"},
                       {"phases", {{"measured", {{"tok_per_s", 5.0}, {"wall_ns", 200}, {"tokens", 1}}}}},
                       {"gap", {{"achieved_tok_per_s", 4.0}}}};
  EXPECT_EQ(value_of(figures_of(report), "tok_per_s"), 4.0);
}

TEST(Figures, AreLeftOutWhereTheyMeanNothing) {
  const Json report = {
      {"schema", "spillway.report/1"},
      {"phases", {{"measured", {{"wall_ns", 0}, {"tokens", 0}, {"missed_bytes", 7}, {"hit_ratio", 0.5}}}}},
      {"gap", {{"achieved_tok_per_s", 0.0}, {"drive_bytes_per_s", nullptr}}}};
  const std::vector<Figure> figures = figures_of(report);
  EXPECT_EQ(value_of(figures, "hit_ratio"), 0.5);
  for (const char* name : {"tok_per_s", "missed_bytes_per_token", "drive_bytes_per_s"}) {
    EXPECT_EQ(value_of(figures, name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace spillway
