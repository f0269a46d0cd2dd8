#include "app/report/figures.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "core/json.h"

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

TEST(Figures, AreWrittenWithTheirUnits) {
  EXPECT_EQ(format_figure(7.4e9, Unit::bytes_per_s), "7.40 GB/s");
  EXPECT_EQ(format_figure(7.4e9, Unit::bytes), "7.40 GB");
  EXPECT_EQ(format_figure(0.125, Unit::share), "12.50 %");
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
