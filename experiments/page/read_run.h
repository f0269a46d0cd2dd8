#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "experiments/page/results.h"

// Documents that other commands wrote, one at a time. What is missing or of another type is thrown, as
// nlohmann::json::exception; read_results() is the one door.
namespace spillway::page {

RunResult run_of(const nlohmann::ordered_json& report, const std::string& path);
CurveResult curve_of(const nlohmann::ordered_json& curve, const std::string& path);
PlanResult plan_of(const nlohmann::ordered_json& plan, const std::string& path);
PointResult point_of(const nlohmann::ordered_json& point, const std::string& path);

}  // namespace spillway::page
