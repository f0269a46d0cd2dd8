#pragma once

#include <optional>
#include <vector>

#include "app/page/figures.h"
#include "app/page/html.h"
#include "app/page/results.h"
#include "core/function_ref.h"

// The sections of a page. Each answers a question about the results.
namespace spillway::page {

// Returns the question of a sweep none of whose runs was done, and the reason; nothing for other sweeps.
std::optional<std::string> why_unanswered(const Sweep& sweep);

Section sweep_section(const Sweep& sweep, FigureMaker& figures);
Section curve_section(const CurveResult& curve, FigureMaker& figures);
Section plan_section(const PlanResult& plan, FigureMaker& figures);
Section device_section(const std::string& path, const DeviceProfile& profile);
Section timeline_section(const TimelineResult& timeline, FigureMaker& figures);

// Shows the explained gap that `run` must have.
Section gap_section(const RunResult& run, FigureMaker& figures);

// Shows all runs beside each other. `runs` must not be empty.
Section runs_section(const std::vector<RunResult>& runs, FigureMaker& figures);

// Makes the whole page. Each figure takes a second or two; `tell` is called with the number of sections that
// are done.
Page make_page(const Results& results, const std::string& title, const std::string& about,
               FigureMaker& figures, FunctionRef<void(size_t done)> tell);

// Returns how many sections a page of these results has at most.
size_t most_sections(const Results& results);

}  // namespace spillway::page
