#pragma once

#include <vector>

#include "app/page/figures.h"
#include "app/page/html.h"
#include "app/page/results.h"

// The questions that results answer, a section each.
namespace spillway::page {

Section sweep_section(const Sweep& sweep, FigureMaker& figures);
Section curve_section(const CurveResult& curve, FigureMaker& figures);
Section plan_section(const PlanResult& plan, FigureMaker& figures);
Section device_section(const std::string& path, const DeviceProfile& profile);
Section timeline_section(const TimelineResult& timeline, FigureMaker& figures);

// `run` has its gap explained.
Section gap_section(const RunResult& run, FigureMaker& figures);

// All runs beside each other; there is at least one.
Section runs_section(const std::vector<RunResult>& runs, FigureMaker& figures);

// All of it. The figures take a second or two each.
Page make_page(const Results& results, const std::string& title, const std::string& about,
               FigureMaker& figures);

}  // namespace spillway::page
