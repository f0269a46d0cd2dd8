#pragma once

#include <string>
#include <utility>
#include <vector>

#include "app/report/figures.h"
#include "app/report/report.h"
#include "core/json_fwd.h"
#include "sim/difference.h"

namespace spillway {

// A figure over the repetitions of one combination.
struct RepeatedFigure {
  std::string name;
  Unit unit{};
  double mean = 0;
  std::optional<Interval> interval;  // of the mean; none for a single run
};

// One combination of values, and its runs.
class RepeatedPoint {
 public:
  using Place = std::vector<std::pair<std::string, std::string>>;  // option, value

  explicit RepeatedPoint(Place place) : place_(std::move(place)) {}

  void add(const Report& report);

  const Place& place() const { return place_; }
  size_t runs() const { return reports_.size(); }
  size_t disturbed() const { return disturbed_; }  // runs during which much processor time was stolen
  const std::vector<Json>& reports() const { return reports_; }

  // Returns the figures that each run has: those of figure_table.h, and `read_bytes_per_s`, the rate at which
  // the drive delivered bytes from the first step to the last.
  std::vector<RepeatedFigure> figures() const;

 private:
  Place place_;
  std::vector<Json> reports_;
  std::vector<std::vector<Figure>> figures_;  // of each run
  size_t disturbed_ = 0;
};

struct RunTable {
  std::string command_line;
  std::vector<std::pair<std::string, std::vector<std::string>>> axes;  // options with several values
  std::vector<RepeatedPoint> points;
};

// Writes spillway.runs/1. The reports of the runs are a large part of it, which `with_reports` adds.
Json to_json(const RunTable& table, bool with_reports);

// Returns the table in `format`: table, json, csv or markdown. Points without a run are left out.
std::string to_text(const RunTable& table, const std::string& format);

// Returns `cache=1GB, evict=lru`.
std::string describe_place(const RepeatedPoint::Place& place);

}  // namespace spillway
