#pragma once

#include <string>

#include "app/page/results.h"
#include "core/json_fwd.h"

// Documents that other commands wrote, one at a time. What is missing or of another type is thrown, as
// Json::exception; read_files() is the one door.
namespace spillway::page {

RunResult run_of(const Json& report, const std::string& path);
CurveResult curve_of(const Json& curve, const std::string& path);
PlanResult plan_of(const Json& plan, const std::string& path);
Result<SweepPoint> point_of(const Json& point, const std::string& path);

}  // namespace spillway::page
