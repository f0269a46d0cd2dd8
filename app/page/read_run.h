#pragma once

#include <string>

#include "app/page/results.h"
#include "core/json_fwd.h"

// These functions each read a document that another command wrote. An error names the file and the key.
namespace spillway::page {

Result<RunResult> run_of(const Json& report, const std::string& path);
Result<CurveResult> curve_of(const Json& curve, const std::string& path);
Result<PlanResult> plan_of(const Json& plan, const std::string& path);
Result<Sweep> runs_of(const Json& runs, const std::string& path);
Result<SweepPoint> point_of(const Json& point, const std::string& path);

}  // namespace spillway::page
